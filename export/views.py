"""How both sides of a comparison see the same images, for each kind of input."""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from export.options import GraphOptions
from shared.data.pixels import to_pil
from shared.images import normalise
from shared.settings import ModelSettings

LARGER: Final = (19, 29)
"""Height and width, in tenths of the model's size, of the images a resize is tried on: no whole ratio, wider than high,
so that every version of Pillow passes over rows first, as the graph does."""


def views(images: Tensor, model: ModelSettings, options: GraphOptions) -> tuple[Tensor, ...]:
    """Return the images as the caller of a graph may have them.

    Args:
        images: (N, channels, size, size), uint8.
        model: Their size.
        options: Of the graph.

    Returns:
        The images themselves; for raw input every second one enlarged, so that the graph has something to resize.
        Image by image in the order of ``labels_of_views``.
    """
    if options.input != "uint8-nhwc" or len(images) < 2:
        return (images,)
    height, width = (tenths * model.image_size // 10 for tenths in LARGER)
    larger = [_enlarged(image, width, height) for image in images[1::2]]
    return images[::2], torch.stack(larger)


def in_order_of_views(values: Tensor, options: GraphOptions) -> Tensor:
    """Return one value per image (N, ...) in the order in which ``views`` shows the images."""
    if options.input != "uint8-nhwc" or len(values) < 2:
        return values
    return torch.cat([values[::2], values[1::2]])


def feed(images: Tensor, model: ModelSettings, options: GraphOptions) -> NDArray[Any]:
    """Return what a graph takes of images (N, channels, height, width), uint8."""
    if options.input == "uint8-nhwc":
        return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    if options.input == "normalised-nchw":
        return normalise(images, model.mean, model.std).numpy()
    return scale(images).numpy()


def scale(images: Tensor) -> Tensor:
    """Return images (N, C, H, W), uint8, as float32 in 0..1."""
    return images.to(torch.float32) / 255.0


def _enlarged(image: Tensor, width: int, height: int) -> Tensor:
    rows = np.array(to_pil(image).resize((width, height), Image.Resampling.BICUBIC))
    return torch.from_numpy(rows[None] if rows.ndim == 2 else np.ascontiguousarray(rows.transpose(2, 0, 1)))
