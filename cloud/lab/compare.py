"""``lab compare``: make the runs that are missing, then read all of them as one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cloud.lab.cells import finished
from cloud.lab.setting import LabSetting
from cloud.lab.summary import MethodSummary, grid, summarise
from cloud.lab.sweep import sweep
from cloud.lab.tables import markdown, runs_csv
from cloud.result import Result
from shared.blobs import write_durably
from shared.errors import SettingsError
from shared.methods import RECIPES

FIRST = ("fedloge", "fedavg-heads", "fedavg")
"""What "all" runs first: the default and the two it is most often asked to beat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything a table needs.

    Attributes:
        base: The setting all runs share but for method and seed.
        runs: Results by method and seed.
        summaries: One per method, in order.
        missing: Keys of runs that are not there.
    """

    base: LabSetting
    runs: Mapping[str, Mapping[int, Result]]
    summaries: tuple[MethodSummary, ...]
    missing: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return rows, summaries and what is missing, made of JSON's types."""
        return {
            "settings": msgspec.to_builtins(self.base),
            "rows": [
                {
                    "method": method,
                    "seed": seed,
                    "gm": msgspec.to_builtins(result.gm),
                    "pm": msgspec.to_builtins(result.pm),
                    "seconds": result.seconds,
                }
                for method, by_seed in self.runs.items()
                for seed, result in sorted(by_seed.items())
            ],
            "summary": [msgspec.to_builtins(summary) for summary in self.summaries],
            "missing": list(self.missing),
        }


def compare(
    base: LabSetting,
    *,
    methods: str,
    seeds: Sequence[int],
    out: Path,
    workers: int,
    dask: str,
    only_table: bool,
) -> Comparison:
    """Make what is missing unless only the table is wanted; write ``table.md`` and ``runs.csv`` beside the runs.

    Raises:
        SettingsError: A method is unknown.
        DataError: The images cannot be read.
    """
    cells = grid(base, method_names(methods), seeds)
    if not only_table:
        sweep([cell for by_seed in cells.values() for cell in by_seed.values()], out, workers=workers, dask=dask)
    runs: dict[str, dict[int, Result]] = {}
    missing = []
    for method, by_seed in cells.items():
        runs[method] = {}
        for seed, setting in by_seed.items():
            result = finished(out, setting)
            if result is None:
                missing.append(setting.key())
            else:
                runs[method][seed] = result
    summaries = summarise(runs, seeds)
    if out.is_dir():
        write_durably(out / "table.md", (markdown(summaries) + "\n").encode())
        write_durably(out / "runs.csv", runs_csv([r for by_seed in runs.values() for r in by_seed.values()]).encode())
    return Comparison(base=base, runs=runs, summaries=summaries, missing=tuple(missing))


def method_names(text: str) -> list[str]:
    """Return the methods a user asked for; "all" begins with those that matter most.

    Raises:
        SettingsError: One is unknown.
    """
    if text == "all":
        return [*FIRST, *(name for name in RECIPES if name not in FIRST)]
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in RECIPES:
            raise SettingsError(f"method {name!r} is unknown", remedy=f"use all, or some of: {', '.join(RECIPES)}")
    if not names:
        raise SettingsError("--methods names none", remedy=f"use all, or some of: {', '.join(RECIPES)}")
    return names
