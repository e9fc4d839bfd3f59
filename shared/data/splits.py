"""The train and test split of one data source, in one size and with one order of classes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from shared.data.pixels import fit_all
from shared.errors import DataError
from shared.images import LabelledImages

LARGEST_OWN_SIZE = 64
"""Pixels: images up to here keep their own size by default; larger ones become ``DEFAULT_SIZE``."""

DEFAULT_SIZE = 224
"""Pixels: the size ImageNet's backbones are made for."""

SMALLEST_SIZE = 4
"""Pixels: the smallest image a backbone takes (``ModelSettings.image_size``)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """What a data SPEC stands for.

    Attributes:
        train: Images to train on, at least one.
        test: Images to measure on, or None where the source has no test split.
        class_names: Names in label order, the same for both splits.
        image_size: Height and width in pixels.
        channels: 1 for grey, 3 for colour images.
    """

    train: LabelledImages
    test: LabelledImages | None
    class_names: tuple[str, ...]
    image_size: int
    channels: int

    @property
    def evaluation(self) -> LabelledImages:
        """The images a coordinator measures on: the test split, or all images of a source that has but one split."""
        return self.train if self.test is None else self.test


def default_size(sizes: set[tuple[int, int]]) -> int:
    """Return the size for images of the given (width, height): their own if it is one small square, else 224."""
    if len(sizes) == 1:
        ((width, height),) = sizes
        if width == height and SMALLEST_SIZE <= width <= LARGEST_OWN_SIZE:
            return width
    return DEFAULT_SIZE


def relabel(labels: Tensor, own: tuple[str, ...], class_names: tuple[str, ...], source: str) -> Tensor:
    """Translate labels from a source's own order of classes to the federation's.

    Args:
        labels: (N,), int64, indexes into ``own``.
        own: The source's class names.
        class_names: The federation's.
        source: The SPEC, for the message.

    Raises:
        DataError: A class that has images is unknown to the federation.
    """
    position = {name: index for index, name in enumerate(class_names)}
    unknown = [own[c] for c in sorted(set(labels.tolist())) if own[c] not in position]
    if unknown:
        raise DataError(
            f"{source} holds class {unknown[0]!r}, which the federation does not know; "
            f"its classes are {', '.join(class_names)}",
            remedy="rename the class to one of these, or move its images away",
        )
    return torch.tensor([position.get(name, -1) for name in own], dtype=torch.int64)[labels]


def conform(
    splits: Splits, *, image_size: int | None, channels: int | None, class_names: tuple[str, ...] | None, source: str
) -> Splits:
    """Bring images that are already in memory to the wanted size, channels and order of classes.

    Args:
        splits: As the source has them.
        image_size: Pixels, or None for the rule of ``default_size``.
        channels: 1, 3 or None for the source's own.
        class_names: The federation's classes, or None for the source's own.
        source: The SPEC, for messages.

    Raises:
        DataError: A class is unknown to the federation.
    """
    size = default_size({(splits.image_size, splits.image_size)}) if image_size is None else image_size
    depth = splits.channels if channels is None else channels
    names = splits.class_names if class_names is None else class_names

    def one(part: LabelledImages) -> LabelledImages:
        labels = relabel(part.labels, splits.class_names, names, source)
        return LabelledImages(images=fit_all(part.images, size, depth), labels=labels, class_names=names)

    test = None if splits.test is None else one(splits.test)
    return Splits(train=one(splits.train), test=test, class_names=names, image_size=size, channels=depth)
