"""``fashion-mnist:DIR``: the four idx files of Fashion-MNIST, plain or ``.gz``.

An idx file is big-endian: two zero bytes, a type code (8: uint8), the number of axes, one uint32 per axis, the values.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from shared.data.contents import contents
from shared.data.splits import Splits
from shared.errors import DataError
from shared.images import LabelledImages

CLASS_NAMES = (
    "T-shirt or top",  # the data set's "T-shirt/top", which could not name a folder
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_REMEDY = "put the four idx files of Fashion-MNIST there, plain or .gz, as their authors publish them"
_MISSING = (
    "expected DIR/{train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz, or the same in DIR/FashionMNIST/raw; "
    "nothing is downloaded"
)


def read_fashion_mnist(directory: Path) -> Splits:
    """Return Fashion-MNIST, grey, 28x28, from DIR or from torchvision's ``DIR/FashionMNIST/raw``.

    Raises:
        DataError: A file is missing, damaged, or does not fit its partner.
    """
    nested = directory / "FashionMNIST" / "raw"
    folder = nested if nested.is_dir() else directory
    train, test = _split(folder, "train"), _split(folder, "t10k")
    return Splits(train=train, test=test, class_names=CLASS_NAMES, image_size=train.images.shape[-1], channels=1)


def _split(folder: Path, prefix: str) -> LabelledImages:
    image_file, labels_file = _find(folder, f"{prefix}-images-idx3-ubyte"), _find(folder, f"{prefix}-labels-idx1-ubyte")
    images, labels = read_idx(image_file, axes=3), read_idx(labels_file, axes=1)
    if images.shape[1] != images.shape[2] or not len(images):
        raise DataError(f"{image_file} holds images of shape {tuple(images.shape)}, expected squares", remedy=_REMEDY)
    if len(images) != len(labels):
        raise DataError(f"{labels_file} holds {len(labels)} labels for {len(images)} images", remedy=_REMEDY)
    if int(labels.max()) >= len(CLASS_NAMES):
        raise DataError(f"{labels_file} holds label {int(labels.max())}, expected 0 to 9", remedy=_REMEDY)
    return LabelledImages(images=images.unsqueeze(1), labels=labels.to(torch.int64), class_names=CLASS_NAMES)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder / name} is missing, also as .gz: {contents(folder)}", remedy=_MISSING)


def read_idx(path: Path, *, axes: int) -> Tensor:
    """Read one idx file of unsigned bytes.

    Args:
        path: The file; a name that ends in ``.gz`` is decompressed.
        axes: Expected number of axes: 3 for images, 1 for labels.

    Returns:
        uint8 tensor of the shape the file declares.

    Raises:
        DataError: The file is no such idx file; the message names it.
    """
    try:
        payload = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as cause:
        raise DataError(f"{path} cannot be read: {cause}", remedy=_REMEDY) from cause
    header_bytes = 4 + 4 * axes
    if len(payload) < header_bytes or payload[:4] != bytes((0, 0, 8, axes)):
        start = f"it begins with {payload[:4].hex(' ')}" if payload else "it is empty"
        raise DataError(
            f"{path} is no idx file of unsigned bytes with {axes} axes (00 00 08 0{axes}): {start}", remedy=_REMEDY
        )
    shape = struct.unpack(f">{axes}I", payload[4:header_bytes])
    if len(payload) - header_bytes != math.prod(shape):
        found = len(payload) - header_bytes
        raise DataError(f"{path} declares {math.prod(shape)} values and holds {found}", remedy=_REMEDY)
    values = np.frombuffer(payload, dtype=np.uint8, offset=header_bytes)
    return torch.from_numpy(values.copy()).reshape(shape)
