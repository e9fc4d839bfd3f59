"""One method of a comparison, as its pictures need it."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloud.lab.comparison import Comparison
from cloud.lab.final import NOTHING_PERSONAL
from cloud.lab.summary import MethodSummary
from cloud.result import Result

NO_HEAD = "†"
"""Marks generic figures of a method without a shared head."""

NO_PART = "‡"
"""Marks personal figures of a method without a trained personal part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One figure over seeds."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One method with at least one finished run.

    Attributes:
        summary: Its figures over seeds.
        runs: Results by seed.
        first: Whether it is the one the others are compared with.
    """

    summary: MethodSummary
    runs: Mapping[int, Result]
    first: bool

    @property
    def name(self) -> str:
        """The method."""
        return self.summary.method

    @property
    def generic_note(self) -> str:
        """What stands in for a shared head; "" where there is one."""
        return next((run.lab.generic_note for run in self.runs.values() if run.lab is not None), "")

    @property
    def personal_note(self) -> str:
        """What stands in for a personal part; "" where there is one."""
        return next((run.lab.personal_note for run in self.runs.values() if run.lab is not None), "")

    @property
    def generic_mark(self) -> str:
        """Sign of a generic figure that is a stand-in, else ""."""
        return NO_HEAD if self.generic_note else ""

    @property
    def personal_mark(self) -> str:
        """Sign of a personal figure without a trained personal part, else ""."""
        return NO_PART if self.personal_note else ""

    @property
    def is_generic(self) -> bool:
        """Whether clients answer by the generic model itself, so that none can be hurt."""
        return self.personal_note == NOTHING_PERSONAL

    @property
    def worst_tenth(self) -> float | None:
        """Mean over seeds of the mean PM of each seed's worst tenth of clients."""
        found = self.summary.figures.get("pm_worst")
        return None if found is None else found.mean

    def over_seeds(self, figure: Callable[[Result], float | None]) -> dict[int, float]:
        """Return a figure by seed, where it was measured."""
        found = {seed: figure(result) for seed, result in sorted(self.runs.items())}
        return {seed: value for seed, value in found.items() if value is not None}

    def curve(self, field: str) -> dict[int, Range]:
        """Return a field of ``RoundFigures`` over seeds by round."""
        by_round: dict[int, list[float]] = {}
        for result in self.runs.values():
            for point in result.rounds:
                value: float | None = getattr(point, field)
                if value is not None:
                    by_round.setdefault(point.round, []).append(value)
        return {number: _range(values) for number, values in sorted(by_round.items())}

    def clients(self) -> list[float]:
        """Return the personal accuracies of all clients of all seeds, sorted."""
        return sorted(c.personal for run in self.runs.values() for c in run.pm.per_client if c.personal is not None)


def _range(values: list[float]) -> Range:
    return Range(low=min(values), mean=statistics.fmean(values), high=max(values))


def mark_notes(methods: Sequence[Compared], *, generic: bool = False, personal: bool = False) -> list[str]:
    """Return a sentence for every reason behind a mark, with the methods it is about."""
    told: dict[str, list[str]] = {}
    for method in methods:
        if generic and method.generic_note:
            told.setdefault(f"{NO_HEAD} {method.generic_note}", []).append(method.name)
        if personal and method.personal_note:
            told.setdefault(f"{NO_PART} {method.personal_note}", []).append(method.name)
    return [f"{note} ({', '.join(names)})." for note, names in told.items()]


def compared(comparison: Comparison) -> list[Compared]:
    """Return the methods that have a run, in the order of the comparison."""
    first = comparison.summaries[0].method if comparison.summaries else ""
    return [
        Compared(summary=summary, runs=comparison.runs[summary.method], first=summary.method == first)
        for summary in comparison.summaries
        if comparison.runs.get(summary.method)
    ]
