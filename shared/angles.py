"""The properties of a classifier's rows that make it a frame: norms, angles, zeros."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class AngleStatistics(NamedTuple):
    """Pairwise angles between rows: mean and smallest in degrees, variance in squared degrees."""

    mean: float
    minimum: float
    variance: float


def pairwise_angles(rows: Tensor) -> Tensor:
    """Return the angles between all pairs of rows, (C (C - 1) / 2,), float64, in degrees.

    Computed as atan2 of chord lengths, which stays precise where arccos does not, at 0 and 180 degrees.

    Args:
        rows: (C, d), no row zero.
    """
    unit = functional.normalize(rows.to(torch.float64), dim=1)
    first, second = torch.triu_indices(len(rows), len(rows), offset=1)
    apart = (unit[first] - unit[second]).norm(dim=1)
    together = (unit[first] + unit[second]).norm(dim=1)
    return torch.rad2deg(2 * torch.atan2(apart, together))


def angle_statistics(rows: Tensor) -> AngleStatistics:
    """Return mean, smallest and variance of the pairwise angles of rows (C, d)."""
    angles = pairwise_angles(rows)
    return AngleStatistics(float(angles.mean()), float(angles.min()), float(angles.var(correction=0)))


def row_norms(rows: Tensor) -> Tensor:
    """Return the norm of every row, (C,), float64."""
    return rows.to(torch.float64).norm(dim=1)


def zeros_per_row(rows: Tensor) -> Tensor:
    """Return the number of zeros in every row, (C,), int64."""
    return (rows == 0).sum(1)


def classes_per_feature(rows: Tensor) -> Tensor:
    """Return the number of non-zeros in every column, (d,), int64."""
    return (rows != 0).sum(0)
