"""A network with its BatchNorm folded in computes what the network computes in evaluation mode."""

import pytest
import torch
from torch import nn

from shared.backbones import build_backbone
from shared.folding import folded


def with_history(name: str, image_size: int) -> nn.Module:
    """A backbone whose statistics, scales and shifts are not those of a new one."""
    backbone = build_backbone(name, image_size=image_size, channels=3, seed=0)
    draws = torch.Generator().manual_seed(1)
    for part in backbone.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3, generator=draws)
            part.running_var.uniform_(0.5, 2, generator=draws)
            nn.init.uniform_(part.weight, 0.5, 1.5, generator=draws)
            nn.init.normal_(part.bias, 0, 0.3, generator=draws)
    return backbone


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize(
    ("name", "image_size", "left"), [("resnet8", 16, 0), ("resnet20", 16, 0), ("mobilenet_v3_small", 32, 0)]
)
def test_the_outputs_agree_and_the_norms_are_gone(name: str, image_size: int, left: int) -> None:
    backbone = with_history(name, image_size)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    assert norms(backbone) > left
    quick = folded(backbone)
    assert norms(quick) == left
    images = torch.randn(5, 3, image_size, image_size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected, found = backbone.eval()(images), quick(images)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert all(torch.equal(before[key], tensor) for key, tensor in backbone.state_dict().items())


def test_a_norm_that_does_not_follow_a_convolution_in_a_sequence_stays() -> None:
    before = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    bare = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False))
    assert [norms(folded(module)) for module in (before, bare, plain)] == [2, 1, 1]


def test_the_copy_is_in_evaluation_mode_and_the_module_stays_in_training() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    assert not any(part.training for part in folded(module).modules())
    assert module.training
