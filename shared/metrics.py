"""Accuracy overall, per class and per class group, and its spread over clients.

What needs more than torch is beside it: ``shared.scores`` has macro-F1 and calibration, ``shared.intervals`` what runs
with several seeds say.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Group: TypeAlias = Literal["head", "medium", "tail"]

GroupRule: TypeAlias = Literal["shares", "counts"]
"""``shares``: the paper's rule, by cumulative share of all images. ``counts``: the usual rule of the long-tail
literature (Liu et al. 2019, many, medium and few shots), by images per class."""

HEAD_SHARE = 0.75
"""Classes in order of size up to this share of all images are the head (the paper's rule, from its code)."""

MEDIUM_SHARE = 0.95
"""From there up to this share they are medium, the rest is the tail."""

HEAD_ABOVE = 100
"""Images: classes with more are the head by the usual rule."""

TAIL_BELOW = 20
"""Images: classes with fewer are the tail by the usual rule."""


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of images whose largest logit is their label's.

    Args:
        logits: (N, num_classes), float.
        labels: (N,), int64.

    Raises:
        ValueError: There is no image.
    """
    if labels.numel() == 0:
        raise ValueError("the accuracy of no image is undefined")
    return int((logits.argmax(1) == labels).sum()) / int(labels.numel())


def per_class_accuracy(logits: Tensor, labels: Tensor, num_classes: int) -> list[float | None]:
    """Return the accuracy on each class's images; None where a class has none."""
    right = torch.bincount(labels[logits.argmax(1) == labels], minlength=num_classes).tolist()
    total = torch.bincount(labels, minlength=num_classes).tolist()
    return [hit / count if count else None for hit, count in zip(right, total, strict=True)]


def balanced_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the mean of the accuracies per class, over the classes that have images: every class counts alike.

    Args:
        logits: (N, num_classes), float.
        labels: (N,), int64.

    Raises:
        ValueError: There is no image.
    """
    if labels.numel() == 0:
        raise ValueError("the accuracy of no image is undefined")
    found = per_class_accuracy(logits, labels, logits.shape[1])
    return statistics.fmean(value for value in found if value is not None)


def class_groups(class_counts: Tensor, rule: GroupRule = "shares") -> list[Group]:
    """Cut classes into head, medium and tail.

    By ``shares``, classes in order of size are the head up to ``HEAD_SHARE`` of all images, medium up to
    ``MEDIUM_SHARE``; the class that crosses a cut belongs to the upper group. By ``counts``, classes with more than
    ``HEAD_ABOVE`` images are the head, with fewer than ``TAIL_BELOW`` the tail.

    Args:
        class_counts: (num_classes,), int64, training images.
        rule: By name.

    Returns:
        Each class's group, in label order.
    """
    counts = class_counts.tolist()
    if rule == "counts":
        return ["head" if count > HEAD_ABOVE else "tail" if count < TAIL_BELOW else "medium" for count in counts]
    total, seen = sum(counts), 0
    groups: list[Group] = ["tail"] * len(counts)
    for label in sorted(range(len(counts)), key=lambda label: (-counts[label], label)):
        share = seen / total if total else 1.0
        groups[label] = "head" if share < HEAD_SHARE else "medium" if share < MEDIUM_SHARE else "tail"
        seen += counts[label]
    return groups


def group_accuracy(logits: Tensor, labels: Tensor, groups: Sequence[Group]) -> dict[str, float | None]:
    """Return the accuracy on the images of each group's classes; None where there is no such image.

    Args:
        logits: (N, num_classes).
        labels: (N,), int64.
        groups: Each class's group.
    """
    right = logits.argmax(1) == labels
    found: dict[str, float | None] = {}
    for group in ("head", "medium", "tail"):
        chosen = torch.tensor([name == group for name in groups])[labels]
        found[group] = float(right[chosen].float().mean()) if bool(chosen.any()) else None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One figure over clients.

    Attributes:
        mean: Unweighted over clients, as the paper's personal accuracy.
        std: Of this population of clients (divided by K, not K - 1).
        worst_decile: Mean of the worst tenth of the clients, at least one of them (``max(1, K // 10)``).
    """

    mean: float
    std: float
    worst_decile: float


def spread_over_clients(accuracies: Sequence[float]) -> Spread:
    """Return mean, spread and worst decile over clients; the order of the clients does not matter.

    Args:
        accuracies: One per client, 0..1.

    Raises:
        ValueError: There is no client.
    """
    if not accuracies:
        raise ValueError("the spread over no client is undefined")
    ordered = sorted(accuracies)
    worst = ordered[: max(1, len(ordered) // 10)]
    return Spread(mean=statistics.fmean(ordered), std=statistics.pstdev(ordered), worst_decile=statistics.fmean(worst))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurt:
    """A client whose personal model is worse than the generic one.

    Attributes:
        client: Its id.
        loss: Accuracy of the generic minus that of the personal model, above 0, at most 1.
    """

    client: str
    loss: float


def hurt_clients(generic: Mapping[str, float], personal: Mapping[str, float]) -> tuple[Hurt, ...]:
    """Return the clients that personalisation hurts, the worst loss first, equal losses in the order of their ids.

    Args:
        generic: The generic model's accuracy on each client's own images, 0..1.
        personal: Each personal model's on the same images.

    Raises:
        ValueError: The two do not name the same clients.
    """
    if generic.keys() != personal.keys():
        raise ValueError(f"measured for one model only: {sorted(generic.keys() ^ personal.keys())}")
    losses = ((generic[client] - personal[client], client) for client in generic)
    return tuple(Hurt(client=client, loss=loss) for loss, client in sorted(losses, key=_worst_first) if loss > 0)


def _worst_first(loss_of_client: tuple[float, str]) -> tuple[float, str]:
    loss, client = loss_of_client
    return -loss, client
