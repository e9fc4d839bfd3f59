"""What an exported model is worth on labelled images beside PyTorch, overall and per group of classes."""

from collections.abc import Sequence
from typing import Final

import torch
from msgspec import Struct
from torch import Tensor

from export.options import Tolerance
from shared.metrics import Group

ORDER: Final[tuple[Group, ...]] = ("head", "medium", "tail")


class GroupAccuracy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accuracy on the images of one group of classes; the attributes are those of ``Accuracy``."""

    group: Group
    num_images: int
    pytorch: float
    exported: float


class Accuracy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accuracy of both sides on the same labelled images.

    Attributes:
        num_images: Images.
        pytorch: Share of them PyTorch labels rightly, 0..1.
        exported: The same of the exported model.
        allowed_loss: How much lower ``exported`` may be; None where the logits decide.
        groups: The same per group, for groups that have images; empty where the groups are not known.
        passed: Nothing more than allowed is lost.
    """

    num_images: int
    pytorch: float
    exported: float
    allowed_loss: float | None
    groups: tuple[GroupAccuracy, ...] = ()
    passed: bool

    def summary(self) -> str:
        """Return the result as one line."""
        parts = [f"{group.group} {group.exported:.1%} of {group.pytorch:.1%}" for group in self.groups]
        within = "" if self.allowed_loss is None else f", {self.allowed_loss:.2%} may be lost"
        tail = f" ({', '.join(parts)})" if parts else ""
        return f"accuracy on {self.num_images} images {self.exported:.1%}, PyTorch's {self.pytorch:.1%}{within}{tail}"


def compare_accuracy(
    expected: Tensor, found: Tensor, labels: Tensor, *, tolerance: Tolerance, groups: Sequence[Group] | None
) -> Accuracy:
    """Compare two models' labels with the true ones.

    Args:
        expected: (N, num_classes), PyTorch's logits; N at least 1.
        found: (N, num_classes), the exported model's.
        labels: (N,), int64.
        tolerance: How many points may be lost; one image may always be.
        groups: Each class's group in label order, or None.
    """
    right, as_right = expected.argmax(1) == labels, found.argmax(1) == labels
    count, points = len(labels), tolerance.accuracy_points
    allowed_images = None if points is None else max(1.0, points / 100 * count)
    lost = int(right.sum()) - int(as_right.sum())
    return Accuracy(
        num_images=count,
        pytorch=float(right.double().mean()),
        exported=float(as_right.double().mean()),
        allowed_loss=None if allowed_images is None else allowed_images / count,
        groups=() if groups is None else _by_group(right, as_right, labels, groups),
        passed=allowed_images is None or lost <= allowed_images,
    )


def _by_group(right: Tensor, as_right: Tensor, labels: Tensor, groups: Sequence[Group]) -> tuple[GroupAccuracy, ...]:
    found = []
    for group in ORDER:
        chosen = torch.tensor([name == group for name in groups])[labels]  # (N,)
        if bool(chosen.any()):
            found.append(
                GroupAccuracy(
                    group=group,
                    num_images=int(chosen.sum()),
                    pytorch=float(right[chosen].double().mean()),
                    exported=float(as_right[chosen].double().mean()),
                )
            )
    return tuple(found)
