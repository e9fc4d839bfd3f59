"""How a dealt data set is measured: on which images, with which validation split, and with or without new classes."""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from shared.errors import SettingsError

MeasuredOn: TypeAlias = Literal["test", "validation"]
"""``test``: the source's test split. ``validation``: a pool of training images that no client gets, for every choice
that has to be made between methods or knobs; no test image is then read at all."""

POOL_SHARE: Final = 0.1
"""Of every class of the training images. CIFAR-10 gives 5,000 images, a standard error of 0.7 points of GM, and leaves
the largest class 4,500 of its 5,000."""

NEW_CLASS_SHARE: Final = 0.2
"""Of each client's test images in the new-class protocol: the usual four to one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What ``shared.shards.deal`` sets aside to measure on; the defaults are the paper's protocol.

    Attributes:
        measured_on: Where the balanced images of the generic model and every client's local test come from.
        pool_share: Share of every class that the pool holds back before the long tail is drawn, where it is measured
            on.
        validation_share: Share of each client's training images that it keeps to choose by; at most one half. 0 keeps
            none, 0.1 to 0.2 are common.
        new_class_share: Share of each client's test images that come from classes it has no training image of.

    Raises:
        SettingsError: A share does not lie in its range.
    """

    measured_on: MeasuredOn = "test"
    pool_share: float = POOL_SHARE
    validation_share: float = 0.0
    new_class_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing on one of the two sides."""
        _check("validation pool", self.pool_share, 0 < self.pool_share < 1, "above 0 and below 1")
        _check("validation split", self.validation_share, 0 <= self.validation_share <= 0.5, "from 0 to 0.5")
        _check("new classes", self.new_class_share, 0 <= self.new_class_share < 1, "from 0 and below 1")


def _check(what: str, share: float, fits: bool, wanted: str) -> None:
    if not fits or math.isnan(share):
        raise SettingsError(f"the share of the {what} is {share}, must be {wanted}", remedy="give a part, such as 0.2")
