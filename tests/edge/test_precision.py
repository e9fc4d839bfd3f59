"""Number format per device: what is fast, as long as it is right."""

import pytest
import torch
from torch import nn

from edge.small_maps import keep_small_maps_in_fp32
from shared.precision import autocast, in_bf16
from shared.settings import TrainingSettings

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
AUTO, FP32, BF16 = (TrainingSettings(precision=name) for name in ("auto", "fp32", "bf16"))


def processor(monkeypatch: pytest.MonkeyPatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


@pytest.mark.parametrize(("training", "expected"), [(AUTO, False), (FP32, False), (BF16, True)])
def test_a_plain_processor_computes_in_fp32_unless_bf16_is_asked_for(
    training: TrainingSettings, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, avx2=True, avx512_bf16=True)
    with autocast(training, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if expected else torch.float32)


@pytest.mark.parametrize(("training", "expected"), [(AUTO, True), (FP32, False), (BF16, True)])
def test_a_processor_with_matrix_units_computes_in_bf16_unless_fp32_is_asked_for(
    training: TrainingSettings, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, amx_bf16=True, amx_tile=True)
    assert in_bf16(training, CPU) is expected


def test_a_torch_that_cannot_tell_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not in_bf16(AUTO, CPU)


def test_cuda_computes_in_bf16_unless_fp32_is_asked_for() -> None:
    assert [in_bf16(training, CUDA) for training in (AUTO, FP32, BF16)] == [True, False, True]


def convolution(channels: int, groups: int, stride: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, channels, 5, stride=stride, padding=2, groups=groups, bias=False)
    keep_small_maps_in_fp32(layer)
    return layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(("channels", "groups"), [(16, 16), (32, 1), (72, 72)])
def test_the_gradient_of_a_strided_convolution_on_one_pixel_is_whole_in_bf16(channels: int, groups: int) -> None:
    layer = convolution(channels, groups, stride=2)
    images = torch.rand(4, channels, 1, 1).contiguous(memory_format=torch.channels_last)
    # only the middle of the kernel ever sees the pixel
    seen = images.sum(0).flatten()
    expected = torch.zeros_like(layer.weight)
    expected[:, :, 2, 2] = seen.unsqueeze(1) if groups == channels else seen
    for _ in range(20):
        used = [torch.full((size,), 3e4) for size in (200, 800, 2000, 9000, 36000)] * 3
        del used  # freed memory full of what no gradient may hold
        layer.zero_grad()
        with autocast(BF16, CPU):
            out = layer(images)
        out.float().sum().backward()
        assert layer.weight.grad is not None
        assert torch.allclose(layer.weight.grad, expected, atol=0.05)


def test_larger_maps_stay_in_bf16() -> None:
    with autocast(BF16, CPU):
        assert convolution(16, 1, stride=2)(torch.rand(2, 16, 2, 2)).dtype == torch.bfloat16
        assert convolution(16, 1, stride=2)(torch.rand(2, 16, 1, 1)).dtype == torch.float32
        assert convolution(16, 1, stride=1)(torch.rand(2, 16, 1, 1)).dtype == torch.bfloat16
