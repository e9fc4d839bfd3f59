"""Labelled images in memory, as every part of the project passes them on."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImages:
    """Images of one size with their labels.

    Attributes:
        images: (N, channels, height, width), uint8, 0..255.
        labels: (N,), int64, indexes into ``class_names``.
        class_names: Names in label order.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return int(self.labels.numel())

    def select(self, indices: Tensor) -> "LabelledImages":
        """Return the images at ``indices`` (M,), int64, in that order."""
        return LabelledImages(images=self.images[indices], labels=self.labels[indices], class_names=self.class_names)

    def class_counts(self) -> Tensor:
        """Return the number of images per class, (num_classes,), int64."""
        return torch.bincount(self.labels, minlength=len(self.class_names))


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return ``(images / 255 - mean) / std`` per channel.

    Args:
        images: (N, channels, height, width), uint8.
        mean: Per channel, or one number for all.
        std: Likewise, positive.

    Returns:
        (N, channels, height, width), float32, on the images' device.
    """
    shift, scale = (
        torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1).to(images.device, non_blocking=True)
        for values in (mean, std)  # made on the CPU: a tensor made on a CUDA device from a list waits for the device
    )
    return (images.to(torch.float32) / 255.0 - shift) / scale
