"""Random crops and mirror images, on whole batches at once."""

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, *, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Crop each image at random out of its padded self, and mirror it with probability one half.

    Args:
        images: (N, channels, size, size), float, on any device.
        padding: Pixels of reflection on every side, smaller than ``size``; 0 crops nothing.
        flip: Whether to mirror.
        generator: CPU generator; draws are the same on every device.

    Returns:
        (N, channels, size, size).
    """
    count, _, size, _ = images.shape
    if padding:
        images = _crop(images, size, padding, generator)
    if flip:
        mirrored = (torch.rand(count, generator=generator) < 0.5).to(images.device)
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    return images


def _crop(images: Tensor, size: int, padding: int, generator: torch.Generator) -> Tensor:
    count, channels = images.shape[:2]
    padded = functional.pad(images, [padding] * 4, mode="reflect")
    corners = torch.randint(0, 2 * padding + 1, (2, count), generator=generator).to(images.device)
    span = torch.arange(size, device=images.device)
    rows = (corners[0].view(-1, 1) + span).view(count, 1, size, 1).expand(-1, channels, -1, padded.shape[3])
    columns = (corners[1].view(-1, 1) + span).view(count, 1, 1, size).expand(-1, channels, size, -1)
    return padded.gather(2, rows).gather(3, columns)
