"""``lab compare``: make the runs that are missing, then read all of them as one table."""

from collections.abc import Sequence
from pathlib import Path

from cloud.lab.cells import finished
from cloud.lab.comparison import Comparison
from cloud.lab.report import render_comparison
from cloud.lab.setting import LabSetting
from cloud.lab.summary import grid, summarise
from cloud.lab.sweep import sweep
from cloud.lab.tables import markdown, runs_csv
from cloud.result import Result
from shared.blobs import write_durably
from shared.errors import SettingsError
from shared.methods import RECIPES

FIRST = ("fedloge", "fedavg-heads", "fedavg")
"""What "all" runs first: the default and the two it is most often asked to beat."""


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
    """Make what is missing unless only the table is wanted; write report and tables beside the runs.

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
    comparison = Comparison(base=base, runs=runs, summaries=summaries, missing=tuple(missing))
    if out.is_dir():
        write_durably(out / "table.md", (markdown(summaries) + "\n").encode())
        write_durably(out / "runs.csv", runs_csv([r for by_seed in runs.values() for r in by_seed.values()]).encode())
        write_durably(out / "report.html", render_comparison(comparison).encode())
    return comparison


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
