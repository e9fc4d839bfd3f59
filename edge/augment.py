"""Random crop and horizontal flip of a whole batch: one gather, no padded copy, no loop over images."""

import torch
from torch import Tensor

from shared.errors import SettingsError


def augment(images: Tensor, *, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Return each image shifted by up to ``padding`` pixels each way and, one in two, mirrored.

    The same as padding by reflection on all sides and cropping back at random, done by computing which pixel each
    place shows. With ``padding=0`` and ``flip=False`` nothing is drawn and the images come back as they are.

    Args:
        images: (N, channels, height, width), any dtype, on any device.
        padding: Pixels, smaller than height and width: a reflection cannot reach further than the image.
        flip: Mirror left to right with probability one half.
        generator: A CPU generator; the draws do not depend on the images' device, and nothing waits for the device.

    Returns:
        Like ``images``, in channels-last memory where anything was done.

    Raises:
        SettingsError: The padding is not smaller than the image.
    """
    if padding == 0 and not flip:
        return images
    count, _, height, width = images.shape
    if padding >= min(height, width):
        raise SettingsError(
            f"training.crop_padding is {padding}, must be smaller than the images of {height}x{width} pixels",
            remedy="lower training.crop_padding or raise model.image_size",
        )
    shift = torch.randint(-padding, padding + 1, (2, count, 1), generator=generator)
    rows = _reflect(torch.arange(height) + shift[0], height)  # (N, height)
    columns = _reflect(torch.arange(width) + shift[1], width)  # (N, width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    index = torch.arange(count).view(-1, 1, 1), rows.unsqueeze(2), columns.unsqueeze(1)
    image, row, column = (part.to(images.device, non_blocking=True) for part in index)
    return images.permute(0, 2, 3, 1)[image, row, column].permute(0, 3, 1, 2)


def _reflect(position: Tensor, size: int) -> Tensor:
    """Fold positions that lie outside 0..size-1 back in, the border pixel not repeated."""
    last = size - 1
    return last - (last - position.abs()).abs()
