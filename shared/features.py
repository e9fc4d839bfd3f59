"""One pass of the backbone over images; every head is then a matrix product."""

import torch
from torch import Tensor, nn

from shared.images import normalise
from shared.settings import ModelSettings

BATCH = 256
"""Images per forward pass: enough to fill a device, little enough for its memory."""


def extract_features(
    backbone: nn.Module, images: Tensor, model: ModelSettings, *, device: torch.device, batch_size: int = BATCH
) -> Tensor:
    """Return pooled features in evaluation mode.

    Args:
        backbone: Moved to ``device`` and left in evaluation mode.
        images: (N, channels, height, width), uint8.
        model: Says how images are normalised.
        device: Where the backbone runs.
        batch_size: Images per forward pass.

    Returns:
        (N, feature_dim), float32, on the CPU.
    """
    backbone.to(device).eval()
    parts = []
    with torch.inference_mode():
        for batch in images.split(batch_size):
            ready = normalise(batch.to(device), model.mean, model.std)
            parts.append(backbone(ready.contiguous(memory_format=torch.channels_last)).float().cpu())
    feature_dim = int(getattr(backbone, "feature_dim", 0))
    return torch.cat(parts).clone() if parts else torch.zeros(0, feature_dim)
