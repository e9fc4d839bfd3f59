"""Small pictures on disk."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(seed: int = 0, *, size: tuple[int, int] = (8, 8), channels: int = 3) -> NDArray[np.uint8]:
    """Random pixels, (height, width[, channels]), uint8; ``size`` is (width, height)."""
    shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(
    path: Path, seed: int = 0, *, size: tuple[int, int] = (8, 8), channels: int = 3, **options: Any
) -> NDArray[np.uint8]:
    """Write random pixels as an image file and return them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = pixels(seed, size=size, channels=channels)
    Image.fromarray(array).save(path, **options)
    return array
