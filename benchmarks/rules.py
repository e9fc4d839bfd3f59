"""Which heads should answer, for which gamma, with or without the local prior? Digits, on validation images, per seed.

Every run is one of the lab's, measured on a pool of training images that no client gets; a finished one is kept and
never run again.

Run:  OMP_NUM_THREADS=1 python -m benchmarks.rules --workers 2
      python -m benchmarks.rules --table      (prints what is there, and what is missing)
"""

import argparse
import statistics
from pathlib import Path

from cloud.lab.cells import finished
from cloud.lab.setting import LabSetting
from cloud.lab.sweep import sweep
from cloud.result import Result

RESULTS = Path(__file__).parent / "results" / "rules"
SEEDS = range(5)
VARIANTS = {
    "default": {},
    "no local prior": {"local_prior": False},
    "gamma 0.1, no local prior (the paper's)": {"gamma": 0.1, "local_prior": False},
    "gamma 1": {"gamma": 1.0},
    "gamma 3": {"gamma": 3.0},
    "gamma 10": {"gamma": 10.0},
}
"""Knobs beside the default method's; all else as in ``fedloge lab run``."""


def settings(variant: str) -> list[LabSetting]:
    """Return a variant's runs, one per seed."""
    return [LabSetting(knobs=VARIANTS[variant], seed=seed, measured_on="validation") for seed in SEEDS]


def figures(result: Result) -> dict[str, float]:
    """Return the accuracy of every rule, generic ones on the balanced images, personal ones as means over clients."""
    if result.lab is None:
        return {}
    found = {f"generic: {rule}": groups.accuracy for rule, groups in result.lab.generic_rules.items()}
    for row in result.lab.personal_rules:
        found[f"personal: {row.rule}" + (", masked" if row.mask != "none" else "")] = row.paper
    return found


def table() -> str:
    """Return mean and spread over seeds of every rule as Markdown; a cell without all its runs says so."""
    runs = {variant: [finished(RESULTS, setting) for setting in settings(variant)] for variant in VARIANTS}
    cells = {variant: [figures(run) for run in found if run is not None] for variant, found in runs.items()}
    names = list(dict.fromkeys(name for found in cells.values() for run in found for name in run))
    lines = ["| rule | " + " | ".join(VARIANTS) + " |", "|---|" + "--:|" * len(VARIANTS)]
    for name in names:
        row = [_cell([100 * run[name] for run in found]) for found in cells.values()]
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    if len(values) < len(SEEDS):
        return f"{len(values)} of {len(SEEDS)} runs"
    return f"{statistics.fmean(values):.1f} ± {statistics.stdev(values):.1f}"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        sweep([setting for variant in VARIANTS for setting in settings(variant)], RESULTS, workers=arguments.workers)
    print(table())


if __name__ == "__main__":
    main()
