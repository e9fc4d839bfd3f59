"""Which features each row of the sparse frame may read."""

import math

import torch
from torch import Tensor


def smallest_support(num_classes: int, feature_dim: int) -> int:
    """Return the fewest non-zeros per row with which a sparse frame can be exact; at most ``feature_dim``.

    Two conditions. A simplex frame sums to zero over the classes, so a feature that one class alone reads would be
    zero: each needs two, ``C k >= 2 d``. And the C k entries must meet C (C + 1) / 2 inner products:
    ``k >= (C - 1) / 2 + 1``.
    """
    solvable = math.ceil((num_classes - 1) / 2) + 1
    return max(smallest_cover(num_classes, feature_dim), min(feature_dim, solvable))


def smallest_cover(num_classes: int, feature_dim: int) -> int:
    """Return the fewest non-zeros per row with which every feature can have two classes."""
    return math.ceil(2 * feature_dim / num_classes)


def draw_support(num_classes: int, feature_dim: int, nonzeros: int, generator: torch.Generator) -> Tensor:
    """Draw a mask with ``nonzeros`` features in every row and at least two classes on every feature.

    Each row is drawn uniformly; then features with fewer than two classes take one from the fullest features. Rows that
    were balanced from the start would avoid each other, and two rows without a common feature are stuck at 90 degrees.

    Args:
        num_classes: C.
        feature_dim: d.
        nonzeros: k per row, at least ``2 d / C``.
        generator: Of the draws.

    Returns:
        (num_classes, feature_dim), bool.
    """
    keys = torch.rand(num_classes, feature_dim, generator=generator, dtype=torch.float64)
    support = torch.zeros(num_classes, feature_dim, dtype=torch.bool)
    support.scatter_(1, keys.argsort(dim=1)[:, :nonzeros], value=True)
    order = torch.randperm(feature_dim, generator=generator).tolist()
    for feature in order:
        while int(support[:, feature].sum()) < 2:
            _take_from_the_fullest(support, feature, keys)
    return support


def _take_from_the_fullest(support: Tensor, feature: int, keys: Tensor) -> None:
    """Give ``feature`` a class that leaves the fullest feature for it; ``keys`` in [0, 1) break ties.

    There always is one while ``C k >= 2 d``: then some feature has three classes, of which at most one reads this one.
    """
    movable = support & ~support[:, feature, None]  # (num_classes, feature_dim)
    fullness = torch.where(movable, support.sum(0) + keys, -1.0)
    row, source = divmod(int(fullness.argmax()), support.shape[1])
    support[row, source], support[row, feature] = False, True
