"""``cifar10:DIR`` and ``cifar100:DIR``: the Python batches, laid out as torchvision unpacks them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np
import torch

from shared.data.batch_pickle import load_batch
from shared.data.contents import contents
from shared.data.splits import Splits
from shared.errors import DataError
from shared.images import LabelledImages

_PIXELS = 3 * 32 * 32
_REMEDY = "unpack the Python version of the data set anew"
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a CIFAR data set keeps what."""

    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    names_key: str
    labels_key: str
    num_classes: int


_CIFAR10 = _Layout(
    folder="cifar-10-batches-py",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    names_key="label_names",
    labels_key="labels",
    num_classes=10,
)
_CIFAR100 = _Layout(
    folder="cifar-100-python",
    train=("train",),
    test="test",
    meta="meta",
    names_key="fine_label_names",
    labels_key="fine_labels",
    num_classes=100,
)


def read_cifar10(directory: Path) -> Splits:
    """Return CIFAR-10, colour, 32x32, from ``DIR/cifar-10-batches-py`` or DIR itself.

    Raises:
        DataError: A file is missing, damaged or holds something else.
    """
    return _read(directory, _CIFAR10)


def read_cifar100(directory: Path) -> Splits:
    """Return CIFAR-100 with its fine labels, colour, 32x32, from ``DIR/cifar-100-python`` or DIR itself.

    Raises:
        DataError: A file is missing, damaged or holds something else.
    """
    return _read(directory, _CIFAR100)


def _read(directory: Path, layout: _Layout) -> Splits:
    nested = directory / layout.folder
    folder = nested if nested.is_dir() else directory
    missing = [name for name in (*layout.train, layout.test, layout.meta) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}: {contents(folder)}",
            remedy=f"unpack the Python version of the data set so that DIR/{layout.folder}/{layout.test} exists",
        )
    names = load_batch(folder / layout.meta).get(layout.names_key)
    if not _is_list_of(names, str) or len(set(names)) != layout.num_classes:
        raise DataError(
            f"{folder / layout.meta} holds no {layout.num_classes} names under {layout.names_key!r}", remedy=_REMEDY
        )
    class_names = tuple(names)
    train = [_batch(folder / name, layout, class_names) for name in layout.train]
    return Splits(
        train=LabelledImages(
            images=torch.cat([part.images for part in train]),
            labels=torch.cat([part.labels for part in train]),
            class_names=class_names,
        ),
        test=_batch(folder / layout.test, layout, class_names),
        class_names=class_names,
        image_size=32,
        channels=3,
    )


def _batch(path: Path, layout: _Layout, class_names: tuple[str, ...]) -> LabelledImages:
    batch = load_batch(path)
    labels, data = batch.get(layout.labels_key), batch.get("data")
    if not _is_list_of(labels, int) or not all(0 <= label < layout.num_classes for label in labels):
        wanted = f"labels from 0 to {layout.num_classes - 1} under {layout.labels_key!r}"
        raise DataError(f"{path} holds no {wanted}: {_found(batch, layout.labels_key)}", remedy=_REMEDY)
    if not isinstance(data, np.ndarray) or data.shape != (len(labels), _PIXELS):
        wanted = f"{len(labels)} rows of {_PIXELS} bytes under 'data'"
        raise DataError(f"{path} holds no {wanted}: {_found(batch, 'data')}", remedy=_REMEDY)
    images = torch.from_numpy(data).reshape(-1, 3, 32, 32)
    return LabelledImages(images=images, labels=torch.tensor(labels, dtype=torch.int64), class_names=class_names)


def _is_list_of(value: object, kind: type[_Item]) -> TypeGuard[list[_Item]]:
    return isinstance(value, list) and len(value) > 0 and all(type(item) is kind for item in value)


def _found(batch: dict[str, Any], key: str) -> str:
    """Describe what a batch has under a key, or which keys it has."""
    if key not in batch:
        return f"found {', '.join(sorted(batch)) or 'nothing'}"
    value = batch[key]
    if isinstance(value, np.ndarray):
        return f"found bytes of shape {value.shape}"
    if _is_list_of(value, int):
        return f"found {len(value)} from {min(value)} to {max(value)}"
    return f"found a {type(value).__name__}{' of none' if value == [] else ''}"
