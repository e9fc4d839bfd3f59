"""What a few runs say about a mean: Student's interval over seeds, and of the differences between paired seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import SettingsError

CONFIDENCE = 0.95
"""Of every interval that is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over runs with its uncertainty.

    Attributes:
        mean: Over runs.
        std: Sample standard deviation (divided by n - 1); None for a single run.
        low: Lower bound of the confidence interval; None for a single run, which says nothing about its spread.
        high: Upper bound, likewise.
        runs: n.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    runs: int

    def above_zero(self) -> bool:
        """Tell whether the whole interval lies above 0: the claim "better" at this confidence; False for one run."""
        return self.low is not None and self.low > 0


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the mean with ``mean +- t * s / sqrt(n)``, t of Student's distribution with n - 1 degrees of freedom.

    The values are taken for independent draws of one normal distribution, as runs with different seeds nearly are.

    Args:
        values: One per run.
        confidence: 0 < confidence < 1.

    Raises:
        ValueError: There is no value.
        SettingsError: scipy is not installed.
    """
    if not values:
        raise ValueError("the interval over no run is undefined")
    mean, runs = statistics.fmean(values), len(values)
    if runs == 1:
        return Interval(mean=mean, std=None, low=None, high=None, runs=1)
    std = statistics.stdev(values)
    half = _student(confidence, runs - 1) * std / math.sqrt(runs)
    return Interval(mean=mean, std=std, low=mean - half, high=mean + half, runs=runs)


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence: float = CONFIDENCE
) -> Interval:
    """Return the interval of ``first - second``, paired by seed.

    Two methods with the same seed have the same images, partition, initial model and participants: what these
    contribute cancels out, so the paired interval is narrower than those of the two means.

    Args:
        first: Figure by seed.
        second: Likewise; seeds that only one of them has are left out, and ``runs`` says how many are left.
        confidence: 0 < confidence < 1.

    Raises:
        ValueError: They have no seed in common.
    """
    return interval([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())], confidence)


def _student(confidence: float, degrees: int) -> float:
    """Return t with P(-t <= T <= t) = confidence."""
    try:
        from scipy.special import stdtrit  # noqa: PLC0415 - an extra
    except ImportError as cause:
        raise SettingsError(
            "intervals over seeds need scipy, which is not installed", remedy="pip install 'fedloge[lab]'"
        ) from cause
    return float(stdtrit(degrees, (1 + confidence) / 2))
