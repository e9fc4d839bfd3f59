"""The exported computation as a PyTorch module: normalisation, backbone, head and mask, in this order."""

import torch
from torch import Tensor, nn

from shared.errors import ExportError
from shared.heads import MASKED_LOGIT, Head
from shared.settings import ModelSettings


class ExportedModel(nn.Module):
    """What a runtime computes: images scaled to 0..1 in, logits out.

    Args:
        backbone: Normalised images (N, channels, height, width) to features (N, feature_dim).
        head: What it answers from; copied.
        model: Mean and standard deviation of the normalisation, which is part of the graph.
    """

    shift: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    keep: Tensor

    def __init__(self, backbone: nn.Module, head: Head, model: ModelSettings) -> None:
        super().__init__()
        self.backbone = backbone
        self.masked = head.keep is not None
        classes = head.weight.shape[0]
        self.register_buffer("shift", torch.tensor(model.mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("scale", torch.tensor(model.std, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("weight", head.weight.detach().clone())
        self.register_buffer("bias", torch.zeros(classes) if head.bias is None else head.bias.detach().clone())
        self.register_buffer("keep", torch.ones(classes, dtype=torch.bool) if head.keep is None else head.keep.clone())

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, num_classes), float32, of images (N, channels, height, width), float32, 0..1."""
        features = self.backbone((images - self.shift) / self.scale)  # (N, feature_dim)
        logits = nn.functional.linear(features, self.weight, self.bias)  # (N, num_classes)
        return torch.where(self.keep, logits, MASKED_LOGIT) if self.masked else logits


def check_head(head: Head, *, num_classes: int, feature_dim: int) -> None:
    """Refuse a head that does not fit.

    Raises:
        ExportError: A shape or a type differs, or the mask forbids every class.
    """
    expected = {
        "head.weight": (head.weight, (num_classes, feature_dim), torch.float32),
        "head.bias": (head.bias, (num_classes,), torch.float32),
        "head.keep": (head.keep, (num_classes,), torch.bool),
    }
    for name, (tensor, shape, dtype) in expected.items():
        if tensor is not None and (tuple(tensor.shape) != shape or tensor.dtype != dtype):
            raise ExportError(f"{name} is {tuple(tensor.shape)} {tensor.dtype}, expected {shape} {dtype}")
    if head.keep is not None and not bool(head.keep.any()):
        raise ExportError("head.keep forbids every class, expected at least one that may be answered")


def check_finite(tensors: dict[str, Tensor]) -> None:
    """Refuse tensors that are not finite float32.

    Raises:
        ExportError: One holds NaN or infinity, or has another type; the message names it.
    """
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise ExportError(f"{name} is {tensor.dtype}, expected torch.float32")
        if not bool(torch.isfinite(tensor).all()):
            raise ExportError(f"{name} holds NaN or infinity", remedy="export from a round whose model is finite")
