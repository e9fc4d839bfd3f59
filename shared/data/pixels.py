"""From an image file to pixels: one path for training, evaluation and prediction, so that all see the same values.

Resizing is PIL's bilinear filter, whose support grows with the reduction, so it does not alias. Images that are not
square are stretched to a square, because a crop could cut off what the label names. Transparency is dropped.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from shared.errors import DataError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
"""File name endings that are read, in lower case."""

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
"""Formats PIL may try: its decoders for rarer ones are the less tested."""

_MODES = {1: "L", 3: "RGB"}
_UNREADABLE = (
    OSError,
    EOFError,
    SyntaxError,  # what PIL raises for a broken PNG chunk or EXIF block
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def read_image(path: Path, *, image_size: int | None, channels: int) -> Tensor:
    """Read one image.

    EXIF orientation is applied. A JPEG at least twice too large is reduced while it is decoded, which is several times
    faster and differs from a full decode by less than the resizing does.

    Args:
        path: A PNG, JPEG, BMP or WebP file.
        image_size: Height and width in pixels of the result; None keeps the file's own, for a model that resizes.
        channels: 1 for grey, 3 for colour.

    Returns:
        (channels, height, width), uint8.

    Raises:
        DataError: The file cannot be read as an image; the message names it.
    """
    with _naming(path), Image.open(path, formats=_FORMATS) as image:
        if image_size is not None:
            image.draft(_MODES[channels], (2 * image_size, 2 * image_size))
        ImageOps.exif_transpose(image, in_place=True)
        return torch.from_numpy(_fit(image, image_size, channels))


def measure(path: Path) -> tuple[tuple[int, int], bool]:
    """Return (width, height) in pixels and whether the image is grey, from the file's header alone.

    Raises:
        DataError: The file cannot be read as an image; the message names it.
    """
    with _naming(path), Image.open(path, formats=_FORMATS) as image:
        return image.size, image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def fit_all(images: Tensor, image_size: int, channels: int) -> Tensor:
    """Return images in another size or number of channels, by the same filter as ``read_image``.

    Args:
        images: (N, 1 or 3, height, width), uint8.
        image_size: Height and width in pixels of the result.
        channels: 1 for grey, 3 for colour.

    Returns:
        (N, channels, image_size, image_size), uint8; the tensor itself where nothing changes.
    """
    if images.shape[1:] == (channels, image_size, image_size):
        return images
    fitted = torch.empty((len(images), channels, image_size, image_size), dtype=torch.uint8)
    for index, image in enumerate(images):
        fitted[index] = torch.from_numpy(_fit(to_pil(image), image_size, channels))
    return fitted


def to_pil(image: Tensor) -> Image.Image:
    """Return a (1 or 3, height, width) uint8 tensor as a PIL image."""
    rows = image.numpy()
    return Image.fromarray(rows[0] if len(rows) == 1 else np.ascontiguousarray(rows.transpose(1, 2, 0)))


def _fit(image: Image.Image, image_size: int | None, channels: int) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16 bits of grey: PIL's own conversion would clip instead of scale
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # converting at once would print a warning for each file
    if image.mode != _MODES[channels]:
        image = image.convert(_MODES[channels])
    if image_size is not None and image.size != (image_size, image_size):
        image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    pixels = np.array(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError as cause:
        raise DataError(
            f"{path} is no PNG, JPEG, BMP or WebP image", remedy="replace the file or remove it from the folder"
        ) from cause
    except _UNREADABLE as cause:
        raise DataError(
            f"{path} cannot be read as an image: {cause}", remedy="replace the file or remove it from the folder"
        ) from cause
