"""May a new model take the place of the one that serves? Both answer the same held-out images, and losses are counted.

Every image both models were asked is a pair, so what counts is which answers were lost and which were gained, not two
accuracies with a spread each (the view of McNemar's test, Psychometrika 12, 1947).
"""

import math
from typing import Final

from msgspec import Struct
from torch import Tensor

from shared.metrics import class_groups

OVERALL_POINTS: Final = 1.0
"""Percentage points of accuracy a new model may lose over all held-out images."""

TAIL_POINTS: Final = 2.0
"""Percentage points it may lose on the images of tail classes: few images, so a tighter bound would be one image."""

ONE_IMAGE: Final = 1
"""A loss of one image is always allowed: no smaller loss can be seen."""


class Comparison(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two models on the same images.

    Attributes:
        num_images: How many.
        serving: Images the serving model answers rightly.
        candidate: Images the new model answers rightly.
        lost: Images only the serving model answers rightly.
        gained: Images only the new model answers rightly.
        allowed: Images by which ``lost`` may exceed ``gained``.
    """

    num_images: int
    serving: int
    candidate: int
    lost: int
    gained: int
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the new model is not worse beyond the bound."""
        return self.lost - self.gained <= self.allowed

    def words(self) -> str:
        """Return the comparison in words."""
        return f"{self.candidate} of {self.num_images} right, the serving model {self.serving}"


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gate says.

    Attributes:
        accepted: Whether the new model may serve.
        reason: Why, in words.
        overall: On all held-out images; None where nothing was compared.
        tail: On the images of tail classes; None where there is none.
    """

    accepted: bool
    reason: str
    overall: Comparison | None = None
    tail: Comparison | None = None


def judge(
    candidate: Tensor, serving: Tensor, labels: Tensor, *, train_counts: Tensor, tail_counts: bool = True
) -> Verdict:
    """Compare a new model's answers with those of the model that serves.

    Refused is what loses more images than it gains by more than the bound, overall or among tail classes. The bound is
    the largest of one image, ``OVERALL_POINTS`` or ``TAIL_POINTS`` of the images, and the square root of the images
    whose answer changed: one standard error of the difference if each change were a coin's toss, so that retraining
    alone does not refuse a model as good as the old one.

    Args:
        candidate: (N,), int64, the new model's classes.
        serving: (N,), int64, those of the model that serves.
        labels: (N,), int64.
        train_counts: (num_classes,), int64, this device's training images, which say what its tail is.
        tail_counts: Whether a loss in the tail alone refuses. Not where a first personal model is compared with the
            generic one: to answer by the client's own frequencies is what it is for, and costs rare classes.
    """
    if labels.numel() == 0:
        return Verdict(accepted=True, reason="no held-out images: nothing was compared")
    overall = compare(candidate, serving, labels, points=OVERALL_POINTS)
    groups = class_groups(train_counts)
    in_tail = labels.new_tensor([name == "tail" for name in groups]).bool()[labels]
    tail = None
    if bool(in_tail.any()):
        tail = compare(candidate[in_tail], serving[in_tail], labels[in_tail], points=TAIL_POINTS)
    if not overall.passed:
        return Verdict(accepted=False, reason=f"worse overall: {overall.words()}", overall=overall, tail=tail)
    if tail_counts and tail is not None and not tail.passed:
        return Verdict(accepted=False, reason=f"worse in the tail: {tail.words()}", overall=overall, tail=tail)
    return Verdict(accepted=True, reason=f"not worse: {overall.words()}", overall=overall, tail=tail)


def compare(candidate: Tensor, serving: Tensor, labels: Tensor, *, points: float) -> Comparison:
    """Count what a new model loses and gains; arguments as in ``judge``, ``points`` in percentage points."""
    right, was_right = candidate == labels, serving == labels
    lost, gained = int((was_right & ~right).sum()), int((right & ~was_right).sum())
    count = int(labels.numel())
    return Comparison(
        num_images=count,
        serving=int(was_right.sum()),
        candidate=int(right.sum()),
        lost=lost,
        gained=gained,
        allowed=max(ONE_IMAGE, points / 100 * count, math.sqrt(lost + gained)),
    )
