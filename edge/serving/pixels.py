"""What a graph takes of an image, by what the file says about its own input."""

from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from shared.errors import ExportError


class Normalisation(Struct, frozen=True):
    """Numbers the caller is to normalise pixels with, one per channel or one for all."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class ImageInput(Struct, frozen=True):
    """The ``input`` of a file's metadata.

    Attributes:
        layout: Order of the axes.
        range: Smallest and largest pixel, or how pixels are normalised.
        size: Height and width in pixels, or "any".
        channels: 1 or 3.
    """

    layout: Literal["NCHW", "NHWC"]
    range: tuple[float, float] | Normalisation
    size: int | Literal["any"]
    channels: int

    def feed(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Return what the graph takes of images (N, channels, height, width), uint8.

        Raises:
            ExportError: The images have another type, size or number of channels.
        """
        size = "any" if self.size == "any" else f"{self.size}x{self.size}"
        fits = images.ndim == 4 and images.dtype == np.uint8 and images.shape[1] == self.channels
        if not fits or (self.size != "any" and images.shape[2:] != (self.size, self.size)):
            raise ExportError(
                f"images are {images.shape} {images.dtype}, expected uint8 of shape (N, {self.channels}, {size} pixels)"
            )
        if self.layout == "NHWC":
            return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        unit = images.astype(np.float32) / np.float32(255.0)
        if isinstance(self.range, Normalisation):
            mean, std = (np.array(part, np.float32).reshape(1, -1, 1, 1) for part in (self.range.mean, self.range.std))
            normalised: NDArray[np.float32] = (unit - mean) / std
            return normalised
        return unit


def read_input(metadata: dict[str, str]) -> tuple[ImageInput, tuple[str, ...]]:
    """Return a file's input and its class names in label order.

    Raises:
        ExportError: The file does not say them.
    """
    try:
        described = msgspec.json.decode(metadata.get("input", ""), type=ImageInput)
        return described, msgspec.json.decode(metadata.get("class_names", ""), type=tuple[str, ...])
    except msgspec.DecodeError as cause:
        raise ExportError(
            f"the file does not say what its input and classes are: {cause}", remedy="export it again with fedloge"
        ) from cause
