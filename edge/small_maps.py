"""A guard against torch's bf16 convolutions on maps smaller than their stride."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


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
