"""SGD's step for each method of a comparison: the same search for all, on training images that no client gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from cloud.lab.cells import finished
from cloud.lab.setting import LabSetting
from cloud.lab.sweep import sweep
from cloud.lab.tables import percent
from cloud.result import Result
from shared.complaint import complaint
from shared.errors import UsageError
from shared.output import note

FOLDER: Final = "search"
"""Below the comparison's own folder."""

SHARE_OF_ROUNDS: Final = 0.5
"""Of the comparison's rounds: late enough that a fast start alone does not win."""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate.

    Attributes:
        learning_rate: SGD's step size.
        momentum: SGD's momentum.
    """

    learning_rate: Annotated[float, Meta(gt=0, le=100)]
    momentum: Annotated[float, Meta(ge=0, lt=1)]

    def words(self) -> str:
        """Return it for a reader."""
        return f"rate {self.learning_rate:g}, momentum {self.momentum:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found for one method.

    Attributes:
        method: Its name.
        tried: Results by step, in the order asked for; None where the run is missing.
        missing: Keys of runs that are not there.
    """

    method: str
    tried: Mapping[Step, Result | None]
    missing: tuple[str, ...]

    @property
    def chosen(self) -> Step | None:
        """Return the step with the best mean of GM and PM, the first of equals; None while a run is missing."""
        if self.missing:
            return None
        return max(self.tried, key=lambda step: score(self.tried[step]))


def steps_of(text: str) -> tuple[Step, ...]:
    """Read RATE:MOMENTUM pairs separated by commas.

    Raises:
        UsageError: It is none, or a number does not fit.
    """
    steps = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        rate, _, momentum = part.partition(":")
        try:
            steps.append(msgspec.convert({"learning_rate": rate, "momentum": momentum}, Step, strict=False))
        except msgspec.ValidationError as cause:
            raise UsageError(
                f"--search takes RATE:MOMENTUM, got {part!r}: {complaint(cause, Step)}",
                remedy="such as --search 0.03:0.5,0.03:0.9",
            ) from cause
    return tuple(dict.fromkeys(steps))


def at(setting: LabSetting, step: Step) -> LabSetting:
    """Return a setting with another step."""
    return msgspec.structs.replace(setting, learning_rate=step.learning_rate, momentum=step.momentum)


def own_steps(base: LabSetting, methods: Sequence[str], found: Sequence[Searched]) -> dict[str, LabSetting]:
    """Return the setting of each method whose search is finished."""
    chosen = {one.method: one.chosen for one in found}
    return {name: at(base, step) for name in methods if (step := chosen.get(name)) is not None}


def score(result: Result | None) -> float:
    """Return the mean of GM and PM, 0..1; a figure that a method does not have counts nothing."""
    if result is None:
        return 0.0
    figures = [None if result.gm is None else result.gm.accuracy, result.pm.mean]
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known else 0.0


def search(
    base: LabSetting,
    methods: Sequence[str],
    steps: Sequence[Step],
    out: Path,
    *,
    workers: int,
    dask: str,
    only_table: bool,
) -> tuple[Searched, ...]:
    """Try every step with every method on seed 0 and the validation pool, for half of the rounds.

    Args:
        base: The comparison's setting.
        methods: By name.
        steps: Candidates.
        out: The comparison's folder.
        workers: Processes at a time.
        dask: Address of a scheduler, or empty.
        only_table: Make no run.
    """
    folder = out / FOLDER
    rounds = max(1, int(base.rounds * SHARE_OF_ROUNDS))
    short = msgspec.structs.replace(base, rounds=rounds, measured_on="validation", seed=0)
    cells = {
        method: {step: at(msgspec.structs.replace(short, method=method), step) for step in steps} for method in methods
    }
    wanted = [cell for by_step in cells.values() for cell in by_step.values()]
    if not only_table and any(finished(folder, cell) is None for cell in wanted):
        note(f"SGD's step: {len(steps)} candidates for each method, {rounds} rounds each, on validation images")
        sweep(wanted, folder, workers=workers, dask=dask)
    found = []
    for method, by_step in cells.items():
        tried = {step: finished(folder, cell) for step, cell in by_step.items()}
        missing = tuple(cell.key() for step, cell in by_step.items() if tried[step] is None)
        found.append(Searched(method=method, tried=tried, missing=missing))
    return tuple(found)


def markdown(found: Sequence[Searched]) -> str:
    """Return GM / PM on the validation pool by method and step, in %; the chosen one is bold."""
    steps = list(found[0].tried) if found else []
    lines = ["| method | " + " | ".join(step.words() for step in steps) + " |"]
    lines.append("|---|" + "--:|" * len(steps))
    for one in found:
        cells = [_cell(result, chosen=step == one.chosen) for step, result in one.tried.items()]
        lines.append(f"| `{one.method}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(result: Result | None, *, chosen: bool) -> str:
    if result is None:
        return "missing"
    gm, pm = percent(None if result.gm is None else result.gm.accuracy), percent(result.pm.mean)
    return f"**{gm} / {pm}**" if chosen else f"{gm} / {pm}"
