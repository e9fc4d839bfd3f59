"""Many runs as one table: means with intervals over seeds, and what each method loses to the first, paired by seed."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from cloud.lab.setting import LabSetting, method_of
from cloud.result import Result
from shared.intervals import Interval, interval, paired_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSummary:
    """One method over its seeds; accuracies in 0..1.

    Attributes:
        method: Its name.
        missing: Seeds without a finished run.
        figures: By name: "gm", "gm_head", "gm_medium", "gm_tail", "pm", "pm_worst", "pm_new", "generic_local", "f1",
            "ece", "hurt" (clients), "seconds".
        gm_lead: GM of the first method minus this one's, paired by seed; None for the first itself.
        pm_lead: PM likewise.
    """

    method: str
    missing: tuple[int, ...]
    figures: Mapping[str, Interval]
    gm_lead: Interval | None = None
    pm_lead: Interval | None = None


Figure = Callable[[Result], float | None]


def _of_groups(name: str) -> Figure:
    return lambda result: None if result.gm is None else getattr(result.gm, name)


def _in_new_classes(result: Result) -> float | None:
    """Return the personal accuracy, by the rule in use, where part of the test is of new classes."""
    if result.lab is None:
        return None
    method = method_of(result.lab.setting)
    for rule in result.lab.personal_rules:
        if (rule.rule, rule.mask) == (method.personal_rule, method.mask):
            return rule.new_classes
    return None


FIGURES: Mapping[str, Figure] = {
    "gm": _of_groups("accuracy"),
    "gm_head": _of_groups("head"),
    "gm_medium": _of_groups("medium"),
    "gm_tail": _of_groups("tail"),
    "pm": lambda result: result.pm.mean,
    "pm_std": lambda result: result.pm.std,
    "pm_worst": lambda result: result.pm.worst_decile,
    "pm_new": _in_new_classes,
    "generic_local": lambda result: result.pm.means.generic,
    "f1": lambda result: None if result.lab is None else result.lab.macro_f1,
    "ece": lambda result: None if result.lab is None else result.lab.calibration_error,
    "hurt": lambda result: None if result.lab is None else float(len(result.lab.hurt)),
    "seconds": lambda result: result.seconds,
}
"""How each figure is read from a result."""


def summarise(runs: Mapping[str, Mapping[int, Result]], seeds: Sequence[int]) -> tuple[MethodSummary, ...]:
    """Summarise methods in the order given; the first one is what the others are compared with.

    Args:
        runs: Results by method and seed.
        seeds: All seeds that are asked for.
    """
    first = next(iter(runs), None)
    return tuple(
        MethodSummary(
            method=method,
            missing=tuple(seed for seed in seeds if seed not in by_seed),
            figures=_figures(by_seed),
            gm_lead=_lead(runs[first], by_seed, FIGURES["gm"]) if first not in {None, method} else None,
            pm_lead=_lead(runs[first], by_seed, FIGURES["pm"]) if first not in {None, method} else None,
        )
        for method, by_seed in runs.items()
    )


def _figures(by_seed: Mapping[int, Result]) -> dict[str, Interval]:
    found = {}
    for name, figure in FIGURES.items():
        values = [value for result in by_seed.values() if (value := figure(result)) is not None]
        if values:
            found[name] = interval(values)
    return found


def _lead(first: Mapping[int, Result], other: Mapping[int, Result], figure: Figure) -> Interval | None:
    ours = {seed: value for seed, result in first.items() if (value := figure(result)) is not None}
    theirs = {seed: value for seed, result in other.items() if (value := figure(result)) is not None}
    return paired_difference(ours, theirs) if ours.keys() & theirs.keys() else None


def mean_curve(by_seed: Mapping[int, Result], figure: str) -> list[tuple[int, float]]:
    """Return the mean over seeds of a learning curve's figure ("gm" or "pm_mean") by round."""
    rounds: dict[int, list[float]] = {}
    for result in by_seed.values():
        for point in result.rounds:
            value: float | None = getattr(point, figure)
            if value is not None:
                rounds.setdefault(point.round, []).append(value)
    return [(number, statistics.fmean(values)) for number, values in sorted(rounds.items())]


def grid(bases: Mapping[str, LabSetting], seeds: Sequence[int]) -> dict[str, dict[int, LabSetting]]:
    """Return the settings of every cell of a table, from each method's own."""
    return {
        method: {seed: msgspec.structs.replace(base, method=method, seed=seed) for seed in seeds}
        for method, base in bases.items()
    }
