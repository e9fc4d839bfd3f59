"""One pass of the backbone over images; every head is then a matrix product."""

import torch
from torch import Tensor, nn

from shared.backbones import loaded_backbone
from shared.folding import folded
from shared.images import LabelledImages, normalise
from shared.precision import in_bf16
from shared.settings import ModelSettings, SharedSettings
from shared.tensors import Tensors

BATCH = 256
"""Images per forward pass on an accelerator, and at most: enough to fill it, little enough for its memory."""

CPU_PIXELS = 64 * 32 * 32
"""Pixels per forward pass on a CPU, whose cache then holds what one layer leaves to the next: with norms folded in,
ResNet-8 at 32 pixels takes 0.42 ms an image with batches of 64 and 0.55 ms with 256 (one busy AVX2 core,
``benchmarks/feature_batches.py``)."""

SMALLEST_BATCH = 8
"""Images per forward pass on a CPU, at least."""


def extract_features(
    backbone: nn.Module,
    images: Tensor,
    model: ModelSettings,
    *,
    device: torch.device,
    batch_size: int | None = None,
    bf16: bool = False,
) -> Tensor:
    """Return pooled features in evaluation mode.

    Args:
        backbone: Moved to ``device`` and left in evaluation mode.
        images: (N, channels, height, width), uint8.
        model: Says how images are normalised.
        device: Where the backbone runs.
        batch_size: Images per forward pass; None takes what suits the device and the size of the images.
        bf16: Let convolutions compute in bf16, as in a training that does: 8 significant bits, for measuring only.

    Returns:
        (N, feature_dim), float32, on the CPU.
    """
    backbone.to(device).eval()
    network = folded(backbone).to(memory_format=torch.channels_last)
    size = suitable_batch(images, device) if batch_size is None else batch_size
    parts = []
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        for batch in images.split(size):
            ready = normalise(batch.to(device), model.mean, model.std)
            parts.append(network(ready.contiguous(memory_format=torch.channels_last)).float().cpu())
    feature_dim = int(getattr(backbone, "feature_dim", 0))
    return torch.cat(parts).clone() if parts else torch.zeros(0, feature_dim)


def features_of(
    backbone: Tensors, images: LabelledImages, model: ModelSettings, device: torch.device, *, bf16: bool = False
) -> Tensor:
    """Return pooled features (N, feature_dim), float32 on the CPU, of images under a backbone's tensors."""
    return extract_features(loaded_backbone(backbone, model), images.images, model, device=device, bf16=bf16)


def measured_features(
    backbone: Tensors, images: LabelledImages, settings: SharedSettings, device: torch.device
) -> Tensor:
    """Return what ``features_of`` does, in the number format the federation trains in on this device."""
    return features_of(backbone, images, settings.model, device, bf16=in_bf16(settings.training, device))


def suitable_batch(images: Tensor, device: torch.device) -> int:
    """Return how many images (N, channels, height, width) go through a backbone at once."""
    if device.type != "cpu":
        return BATCH
    return max(SMALLEST_BATCH, min(BATCH, CPU_PIXELS // (images.shape[2] * images.shape[3])))
