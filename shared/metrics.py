"""Accuracy overall, per class and per class group, and its spread over clients."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Group: TypeAlias = Literal["head", "medium", "tail"]

HEAD_SHARE = 0.75
"""Classes in order of size up to this share of all images are the head (the paper's rule, from its code)."""

MEDIUM_SHARE = 0.95
"""From there up to this share they are medium, the rest is the tail."""


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


def class_groups(class_counts: Tensor) -> list[Group]:
    """Cut classes into head, medium and tail by the cumulative share of images; the class that crosses goes up.

    Args:
        class_counts: (num_classes,), int64, training images.

    Returns:
        Each class's group, in label order.
    """
    counts = class_counts.tolist()
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
