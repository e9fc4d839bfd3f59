"""Heads while they train: fresh leaves on a device, and back to plain tensors."""

import torch
from torch import Tensor

from shared.heads import Head


def trainable(head: Head, device: torch.device) -> Head:
    """Return a copy on ``device`` whose weight and bias collect gradients; the head given is not changed."""
    bias = None if head.bias is None else _leaf(head.bias, device)
    return Head(weight=_leaf(head.weight, device), bias=bias)


def parameters(head: Head) -> list[Tensor]:
    """Return what an optimiser moves."""
    return [head.weight] if head.bias is None else [head.weight, head.bias]


def trained(head: Head) -> Head:
    """Return what ``trainable`` gave as plain tensors on the CPU."""
    bias = None if head.bias is None else head.bias.detach().cpu()
    return Head(weight=head.weight.detach().cpu(), bias=bias)


def _leaf(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.detach().to(device, copy=True).requires_grad_()
