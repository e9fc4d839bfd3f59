"""In which number format a backbone computes while it trains."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from shared.settings import TrainingSettings


def autocast(training: TrainingSettings, device: torch.device) -> torch.autocast:
    """Return the context a backbone's forward pass runs in.

    "auto" is bf16 on CUDA, whose tensor cores it feeds, and fp32 on the CPU, where what bf16 gives depends on the
    processor: 1.6 times the speed of fp32 with AVX-512 BF16 (``benchmarks/local_step.py``, resnet8 at 32 pixels), while
    one without it emulates. Weights, gradients and losses stay fp32 in every case.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=in_bf16(training, device))


def in_bf16(training: TrainingSettings, device: torch.device) -> bool:
    """Tell whether a backbone computes in bf16."""
    return training.precision == "bf16" or (training.precision == "auto" and device.type == "cuda")


def keep_small_maps_in_fp32(backbone: nn.Module) -> None:
    """Let convolutions compute in fp32 where their input is smaller than their stride, as deep in a net for big images.

    For the CPU in bf16, where torch 2.15 leaves parts of those weight gradients as it found the memory: neither right
    nor repeatable. A map of a few pixels costs nothing in either format.
    """
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            module.forward = partial(_forward, module.forward, max(module.stride))  # type: ignore[method-assign]


def _forward(forward: Callable[[Tensor], Tensor], stride: int, images: Tensor) -> Tensor:
    if min(images.shape[2:]) >= stride:
        return forward(images)
    with torch.autocast("cpu", enabled=False):
        return forward(images.float())
