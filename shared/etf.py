"""SSE-C: the frozen sparse simplex equiangular tight frame, by a construction that is exact and fast.

The paper optimises a random sparse matrix by 10,000 steps of Adam. Here every row gets the same number of non-zeros,
every feature that is used serves at least two classes (a simplex frame sums to zero over classes, so a feature of one
class alone would be forced to zero), and L-BFGS solves ``V V^T = T`` for unit rows V and the simplex Gram matrix T.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from shared.angles import angle_statistics

EXACT_VARIANCE: Final = 1e-6
"""Variance of the pairwise angles, in squared degrees, up to which a frame counts as exact."""

ATTEMPTS: Final = 3
"""Masks drawn before the construction lowers the sparsity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtfReport:
    """What the construction reached.

    Attributes:
        num_classes: C.
        feature_dim: d.
        row_norm: Norm of every row, gamma.
        sparsity: Share of zeros in every row, as reached.
        nonzeros: Non-zeros in every row.
        exact: Whether the angles are all equal.
        mean_angle: Degrees; arccos(-1/(C-1)) where exact.
        min_angle: Degrees.
        angle_variance: Squared degrees.
        note: The same in words, for the log.
    """

    num_classes: int
    feature_dim: int
    row_norm: float
    sparsity: float
    nonzeros: int
    exact: bool
    mean_angle: float
    min_angle: float
    angle_variance: float
    note: str


def sparse_etf(
    num_classes: int, feature_dim: int, *, row_norm: float, sparsity: float, generator: torch.Generator
) -> tuple[Tensor, EtfReport]:
    """Construct the frozen classifier S.

    Args:
        num_classes: C, at least 2.
        feature_dim: d.
        row_norm: Norm of every row, gamma.
        sparsity: Share of zeros asked for, beta; lowered where exactness needs more non-zeros.
        generator: Seeds mask and start.

    Returns:
        S, (num_classes, feature_dim), float32, and what was reached.

    Raises:
        ValueError: Fewer than two classes or no feature.
    """
    if num_classes < 2 or feature_dim < 1:
        raise ValueError(f"a frame needs 2 classes and 1 feature, got {num_classes} and {feature_dim}")
    nonzeros = _nonzeros(num_classes, feature_dim, sparsity)
    best: tuple[float, Tensor] | None = None
    exact_possible = feature_dim >= num_classes - 1
    while True:
        for _ in range(ATTEMPTS if exact_possible else 1):
            frame = _solve(_mask(num_classes, feature_dim, nonzeros, generator), generator, exact=exact_possible)
            variance = angle_statistics(frame).variance
            if best is None or variance < best[0]:
                best = (variance, frame)
            if variance <= EXACT_VARIANCE:
                break
        if best[0] <= EXACT_VARIANCE or nonzeros == feature_dim or not exact_possible:
            break
        nonzeros = min(feature_dim, nonzeros + max(1, feature_dim // 16))
    frame = functional.normalize(best[1], dim=1) * row_norm
    return frame.to(torch.float32), _report(frame, row_norm, sparsity)


def _nonzeros(num_classes: int, feature_dim: int, sparsity: float) -> int:
    """Return non-zeros per row: round((1 - beta) d), or more where an exact frame needs them."""
    wanted = round((1 - sparsity) * feature_dim)
    covered = math.ceil(2 * feature_dim / num_classes)  # two classes on every feature
    solvable = math.ceil((num_classes - 1) / 2) + 1  # unknowns against equations of V V^T = T
    return min(feature_dim, max(wanted, covered, solvable, 1))


def _mask(num_classes: int, feature_dim: int, nonzeros: int, generator: torch.Generator) -> Tensor:
    """Draw a mask (C, d), bool, with ``nonzeros`` per row spread evenly, so that columns differ by at most one.

    Each row takes the features that were used least so far, ties broken at random.
    """
    used = torch.zeros(feature_dim)
    mask = torch.zeros(num_classes, feature_dim, dtype=torch.bool)
    for row in range(num_classes):
        order = (used + torch.rand(feature_dim, generator=generator)).argsort()[:nonzeros]
        mask[row, order] = True
        used[order] += 1
    return mask


def _solve(mask: Tensor, generator: torch.Generator, *, exact: bool) -> Tensor:
    """Return unit rows (C, d), float64, on the mask, with angles as equal or, failing that, as large as can be."""
    num_classes = mask.shape[0]
    start = torch.randn(mask.shape, generator=generator, dtype=torch.float64)
    if num_classes == 2 and bool(mask.all()):
        start[1] = -start[0]
    raw = start.clone().requires_grad_()
    gram = torch.full((num_classes, num_classes), -1.0 / (num_classes - 1), dtype=torch.float64).fill_diagonal_(1.0)
    off_diagonal = ~torch.eye(num_classes, dtype=torch.bool)

    def loss_of(sharpness: float) -> Tensor:
        rows = functional.normalize(raw * mask, dim=1)
        cosines = rows @ rows.T
        if exact:
            return (cosines - gram).square().sum()
        return torch.logsumexp(sharpness * cosines[off_diagonal], dim=0) / sharpness

    for sharpness in (1.0,) if exact else (10.0, 50.0, 200.0, 800.0):
        _minimise(raw, lambda value=sharpness: loss_of(value))  # type: ignore[misc]
    return functional.normalize(raw.detach() * mask, dim=1)


def _minimise(raw: Tensor, loss_of) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    optimiser = torch.optim.LBFGS(
        [raw], max_iter=500, history_size=20, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = loss_of()
        loss.backward()
        return loss

    optimiser.step(closure)


def _report(frame: Tensor, row_norm: float, asked: float) -> EtfReport:
    statistics = angle_statistics(frame)
    num_classes, feature_dim = frame.shape
    nonzeros = int((frame[0] != 0).sum())
    reached = 1 - nonzeros / feature_dim
    exact = statistics.variance <= EXACT_VARIANCE
    note = (
        f"{num_classes} classes, {feature_dim} features, {reached:.0%} zeros per row"
        + (f" (asked for {asked:.0%})" if abs(reached - asked) > 0.5 / feature_dim + 0.01 else "")
        + f", norm {row_norm:.3g}, "
        + (
            f"exact: all angles {statistics.mean:.3f} degrees"
            if exact
            else f"NOT exact: angles from {statistics.minimum:.2f}, mean {statistics.mean:.2f} degrees; "
            f"a wider backbone (at least {num_classes - 1} features) makes it exact"
        )
    )
    return EtfReport(
        num_classes=num_classes,
        feature_dim=feature_dim,
        row_norm=row_norm,
        sparsity=reached,
        nonzeros=nonzeros,
        exact=exact,
        mean_angle=statistics.mean,
        min_angle=statistics.minimum,
        angle_variance=statistics.variance,
        note=note,
    )
