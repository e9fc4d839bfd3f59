"""The frozen sparse equiangular tight frame classifier (SSE-C), made once by the coordinator.

The paper optimises norms and nearest angles with thousands of Adam steps over a random mask (Eq. 4). Here every row has
the same number of non-zeros, every feature serves two classes or more, and L-BFGS solves for the simplex's Gram matrix
itself, which reaches it to rounding wherever the mask allows it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from shared.angles import pairwise_angles, simplex_angle
from shared.errors import SettingsError
from shared.etf_support import draw_support, smallest_cover, smallest_support

EXACT_VARIANCE: Final = 1e-6
"""Angle variance in square degrees up to which a frame is called exact: a thousandth of a degree."""

TARGET_LOSS: Final = 3e-12
"""Mean square error of the cosines where the iteration stops, 1e-8 square degrees: clear of the bound above."""

LOSS_SCALE: Final = 1e8
"""Keeps losses far above the fixed 1e-10 below which torch's L-BFGS no longer learns curvature."""

STEPS: Final = 600
"""L-BFGS iterations; a hundred classes on 512 features need 50, 47 on 64, near the limit of the mask, most of them."""

HISTORY: Final = 10
"""Pairs L-BFGS remembers: 20 take a third longer a step and need as many steps, 6 need more."""

BETWEEN_LOOKS: Final = 5
"""Iterations between two looks at whether the target is met."""

TIGHT_STEPS: Final = 100
"""The same where no simplex exists: this frame is only the start of the next search."""

SHARPNESS: Final = (10.0, 100.0, 1000.0)
"""Of the smooth maximum of the cosines: it lies within ``log(C^2) / 1000`` of the maximum at last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtfReport:
    """What was made.

    Attributes:
        num_classes: C.
        feature_dim: d.
        row_norm: Norm of every row, gamma.
        asked_sparsity: Share of zeros asked for (the paper's beta).
        sparsity: Share of zeros in every row.
        nonzeros: Non-zeros in every row, k.
        exact: Whether all angles are equal, to a variance of at most ``EXACT_VARIANCE``.
        mean_angle: Over all pairs of classes, in degrees.
        min_angle: Likewise.
        angle_variance: Likewise, in square degrees.
        note: All of this in one line.
    """

    num_classes: int
    feature_dim: int
    row_norm: float
    asked_sparsity: float
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
    """Make the classifier S.

    Where the sparsity asked for leaves no exact frame, more non-zeros are used: as many as are needed to the nearest
    tenth. With more than ``feature_dim + 1`` classes none is exact; then the frame with the largest smallest angle is
    sought at the sparsity asked for, and the report says so.

    Args:
        num_classes: C, at least 2.
        feature_dim: d, at least 1.
        row_norm: gamma, positive.
        sparsity: beta, share of zeros in each row, 0 <= beta < 1.
        generator: Of the masks and the starting points; with one thread it determines every byte.

    Returns:
        S (num_classes, feature_dim), float32, without a bias, and what is to be said of it.

    Raises:
        SettingsError: There are fewer than two classes, or no feature.
    """
    if num_classes < 2 or feature_dim < 1:
        raise SettingsError(
            f"a classifier needs at least 2 classes and 1 feature, got {num_classes} and {feature_dim}",
            remedy="name at least two classes in the federation file",
        )
    asked = max(1, round((1 - sparsity) * feature_dim))
    frame = None
    if feature_dim >= num_classes - 1:
        frame = _exact_frame(num_classes, feature_dim, asked, generator)
    if frame is None:
        frame = _widest_frame(num_classes, feature_dim, asked, generator)
    etf = (row_norm * frame).to(torch.float32)
    return etf, _report(etf, row_norm=row_norm, sparsity=sparsity, nonzeros=int((frame[0] != 0).sum()))


def _exact_frame(num_classes: int, feature_dim: int, asked: int, generator: torch.Generator) -> Tensor | None:
    """Return unit rows with equal angles, with as few non-zeros from ``asked`` on as it takes, or None."""
    gram = torch.full((num_classes, num_classes), -1 / (num_classes - 1), dtype=torch.float64).fill_diagonal_(1.0)
    nonzeros = max(asked, smallest_support(num_classes, feature_dim))
    while True:
        support = draw_support(num_classes, feature_dim, nonzeros, generator)
        start = _masked_simplex(support, generator)
        frame = _minimise(lambda cosines: (cosines - gram).square().mean(), start, support, STEPS)
        if _angle_variance(frame) <= EXACT_VARIANCE:
            return frame
        if nonzeros == feature_dim:
            return None
        nonzeros = min(feature_dim, nonzeros + max(1, nonzeros // 10))


def _widest_frame(num_classes: int, feature_dim: int, nonzeros: int, generator: torch.Generator) -> Tensor:
    """Return unit rows whose smallest angle is as large as a local search finds."""
    support = draw_support(num_classes, feature_dim, max(nonzeros, smallest_cover(num_classes, feature_dim)), generator)
    start = _masked_simplex(support, generator)
    frame = _minimise(lambda cosines: cosines.square().mean(), start, support, TIGHT_STEPS)
    own = torch.eye(num_classes, dtype=torch.bool)
    for sharpness in SHARPNESS:

        def smooth_maximum(cosines: Tensor, sharpness: float = sharpness) -> Tensor:
            return torch.logsumexp(sharpness * cosines.masked_fill(own, -1.0).flatten(), 0) / sharpness

        frame = _minimise(smooth_maximum, frame, support, TIGHT_STEPS)
    return frame


def _masked_simplex(support: Tensor, generator: torch.Generator) -> Tensor:
    """Return a randomly rotated simplex frame with the mask applied, rows of norm 1, float64."""
    num_classes, feature_dim = support.shape
    size = max(num_classes, feature_dim)
    rotation, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    rows = rotation[:num_classes, :feature_dim]
    return functional.normalize((rows - rows.mean(0)) * support, dim=1)


def _minimise(loss: Callable[[Tensor], Tensor], start: Tensor, support: Tensor, steps: int) -> Tensor:
    """Minimise a function of the cosines over unit rows that are zero outside the mask; stop where it is met."""
    entries = start.clone(memory_format=torch.contiguous_format).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [entries],
        max_iter=BETWEEN_LOOKS,
        history_size=HISTORY,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        rows = functional.normalize(entries * support, dim=1)
        value = LOSS_SCALE * loss(rows @ rows.T)
        value.backward()
        return value

    for _ in range(steps // BETWEEN_LOOKS):
        # the value before these iterations; a smooth maximum may be negative and never meets a square's bound
        before: Tensor = optimizer.step(closure)
        if 0 <= before.item() <= LOSS_SCALE * TARGET_LOSS:
            break
    return functional.normalize(entries.detach() * support, dim=1)


def _angle_variance(frame: Tensor) -> float:
    return float(pairwise_angles(frame).var(correction=0))


def _report(etf: Tensor, *, row_norm: float, sparsity: float, nonzeros: int) -> EtfReport:
    num_classes, feature_dim = etf.shape
    angles, variance = pairwise_angles(etf), _angle_variance(etf)
    mean, least, exact = float(angles.mean()), float(angles.min()), variance <= EXACT_VARIANCE
    used = 1 - nonzeros / feature_dim
    note = f"{num_classes} classes on {feature_dim} features, {nonzeros} non-zeros per row, norm {row_norm:.4g}; "
    note += (
        f"exact, every angle {mean:.4f} degrees"
        if exact
        else f"not exact: smallest angle {least:.2f} degrees, a simplex has {simplex_angle(num_classes):.2f}; "
        f"{feature_dim} features hold at most {feature_dim + 1} classes at equal angles"
    )
    if nonzeros != max(1, round((1 - sparsity) * feature_dim)):
        note += f"; sparsity lowered from {sparsity:.2f} to {used:.2f}, where the frame exists"
    return EtfReport(
        num_classes=num_classes,
        feature_dim=feature_dim,
        row_norm=row_norm,
        asked_sparsity=sparsity,
        sparsity=used,
        nonzeros=nonzeros,
        exact=exact,
        mean_angle=mean,
        min_angle=least,
        angle_variance=variance,
        note=note,
    )
