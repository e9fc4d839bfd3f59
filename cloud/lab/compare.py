"""``lab compare``: make the runs that are missing, then read all of them as one table."""

from collections.abc import Sequence
from pathlib import Path

from cloud.lab.cells import finished
from cloud.lab.comparison import Comparison
from cloud.lab.report import render_comparison
from cloud.lab.search import Searched, own_steps
from cloud.lab.search import markdown as search_markdown
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
    searched: Sequence[Searched] | None = None,
) -> Comparison:
    """Make what is missing unless only the table is wanted; write report and tables beside the runs.

    Args:
        base: What all runs share.
        methods: As on the command line.
        seeds: Of the table.
        out: Folder of the results.
        workers: Processes at a time.
        dask: Address of a scheduler, or empty.
        only_table: Make no run.
        searched: What a search found for these methods, each of which trains with its own step then; a method whose
            search is not finished has no runs yet. None trains all with the setting's.

    Raises:
        SettingsError: A method is unknown.
        DataError: The images cannot be read.
    """
    names = method_names(methods)
    bases = dict.fromkeys(names, base) if searched is None else own_steps(base, names, searched)
    cells = grid(bases, seeds)
    if not only_table:
        sweep([cell for by_seed in cells.values() for cell in by_seed.values()], out, workers=workers, dask=dask)
    runs: dict[str, dict[int, Result]] = {name: {} for name in names}
    missing = [key for one in searched or () for key in one.missing]
    for method, by_seed in cells.items():
        for seed, setting in by_seed.items():
            result = finished(out, setting)
            if result is None:
                missing.append(setting.key())
            else:
                runs[method][seed] = result
    summaries = summarise(runs, seeds)
    comparison = Comparison(
        base=base, runs=runs, summaries=summaries, missing=tuple(missing), searched=tuple(searched or ())
    )
    if out.is_dir():
        write_durably(out / "table.md", (markdown(summaries) + "\n").encode())
        if searched:
            write_durably(out / "search.md", (search_markdown(searched) + "\n").encode())
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
