"""Which step of SGD does each method do best with? The same search for all, on training images that no client gets.

Run:  python -m benchmarks.optimiser --images folder:DIR --workers 2     (the main table's setting, 40 rounds, seed 0)
      python -m benchmarks.optimiser --table

Methods that train the backbone alike (FedAvg with and without personal heads) are searched once. A finished run is one
JSON file below ``results/optimiser/`` and is never run again.
"""

import argparse
from collections.abc import Iterator

import msgspec

from benchmarks.studies import RESULTS, SHORT
from cloud.lab.compare import compare
from cloud.lab.comparison import Comparison
from cloud.lab.setting import LabSetting

METHODS = ("fedloge", "fedavg-heads", "fedavg-heads-prior", "fedrod", "fedrep", "ditto")
STEPS = ((0.03, 0.5), (0.03, 0.9), (0.01, 0.9))
"""Learning rate and momentum: steps of 0.06, 0.3 and 0.1 in the long run."""


def searched(images: str, workers: int, *, only_table: bool) -> Iterator[tuple[LabSetting, Comparison]]:
    """Yield every point of the grid with its runs, after making what is missing unless only the table is wanted."""
    for rate, momentum in STEPS:
        setting = msgspec.structs.replace(
            SHORT, data=images or SHORT.data, learning_rate=rate, momentum=momentum, measured_on="validation"
        )
        yield (
            setting,
            compare(
                setting,
                methods=",".join(METHODS),
                seeds=range(1),
                out=RESULTS / "optimiser",
                workers=workers,
                dask="",
                only_table=only_table,
            ),
        )


def table(points: list[tuple[LabSetting, Comparison]]) -> str:
    """Return GM / PM of each method at each point, in %, as Markdown."""
    names = [f"rate {setting.learning_rate:g}, momentum {setting.momentum:g}" for setting, _ in points]
    lines = ["| method | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for method in METHODS:
        cells = []
        for _, comparison in points:
            runs = comparison.runs[method].values()
            found = [f"{100 * (run.gm.accuracy if run.gm else 0):.1f} / {100 * (run.pm.mean or 0):.1f}" for run in runs]
            cells.append(", ".join(found) or "missing")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="", help="folder:DIR with CIFAR-10's images")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    print(
        table(list(searched(arguments.images, arguments.workers, only_table=arguments.table or not arguments.images)))
    )


if __name__ == "__main__":
    main()
