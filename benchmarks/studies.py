"""Is the default better than every other method? The main table and the side tables, run by run.

Run:  python -m benchmarks.studies main --images folder:DIR --workers 2     (CIFAR-10's images, a folder per class)
      python -m benchmarks.studies alpha-0.1 imbalance-10 --images folder:DIR
      python -m benchmarks.studies --table                                  (all tables and the ratios of speed)

A finished run is one JSON file below results/, named by its settings, and is never run again; a table says which are
missing. About 15 minutes a run of the main table on one core.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import speed
from cloud.lab.compare import compare, method_names
from cloud.lab.comparison import Comparison
from cloud.lab.search import Searched, search, steps_of
from cloud.lab.search import markdown as search_table
from cloud.lab.setting import LabSetting
from cloud.lab.summary import MethodSummary, summarise
from cloud.lab.tables import markdown
from cloud.result import Result
from shared.errors import FedlogeError

RESULTS = Path(__file__).parent / "results"
IMAGES = "folder:cifar10-images"
"""A run is named by the folder's name and not by where it lies."""
STEPS = steps_of("0.03:0.5,0.03:0.9")
"""Every method trains with the rate and momentum that served it best on validation images of the main setting."""
RIVALS = "fedloge,fedavg-heads,fedavg-heads-prior,fedrod"
"""Of the side tables: the default, the method it is held to, and two that were strong in single runs."""

MAIN = LabSetting(
    data=IMAGES,
    imbalance=100.0,
    alpha=0.5,
    clients=40,
    participation=0.3,
    rounds=80,
    local_epochs=2,
    batch_size=32,
    backbone="resnet8",
)
SHORT = msgspec.structs.replace(MAIN, rounds=40)


@dataclass(frozen=True)
class Study:
    """One table."""

    title: str
    setting: LabSetting
    methods: str = RIVALS
    seeds: int = 2
    searched: bool = True
    """Whether each method takes the step that the search found; else all take the setting's."""


def _short(**changes: object) -> LabSetting:
    return msgspec.structs.replace(SHORT, **changes)


STUDIES = {
    "main": Study("CIFAR-10 images, imbalance factor 100, α 0.5, 40 clients, 80 rounds", MAIN, "all", 3),
    "momentum-0.5": Study(
        "The main setting with momentum 0.5, of methods whose curves fall with 0.9",
        msgspec.structs.replace(MAIN, momentum=0.5),
        "fedavg-heads,fedloge-authors",
        3,
        searched=False,
    ),
    "momentum-0.9": Study(
        "The main setting with momentum 0.9, of methods the search gave 0.5: what `lab compare` runs without --search",
        MAIN,
        "fedavg,fedloge-figure",
        3,
        searched=False,
    ),
    "five-seeds": Study(
        "The main setting over five seeds, of the default and the two that come nearest in PM",
        MAIN,
        "fedloge,fedavg-heads-prior,fedrod",
        5,
        searched=False,  # the step the search found for these three is the setting's
    ),
    "alpha-0.1": Study("α 0.1, 40 rounds", _short(alpha=0.1)),
    "alpha-1": Study("α 1, 40 rounds", _short(alpha=1.0)),
    "imbalance-10": Study("imbalance factor 10, 40 rounds", _short(imbalance=10.0)),
    "imbalance-50": Study("imbalance factor 50, 40 rounds", _short(imbalance=50.0)),
    "resnet20": Study("ResNet-20, 40 rounds", _short(backbone="resnet20")),
    "fashion-mnist": Study("Fashion-MNIST, 40 rounds", _short(data="fashion-mnist:fashion-mnist")),
    "digits": Study("digits, imbalance factor 10, 6 clients, 40 rounds", LabSetting(rounds=40)),
}


def found(name: str, *, data: str = "", workers: int = 1, only_table: bool) -> Comparison:
    """Return a study's runs, after making what is missing unless only the table is wanted."""
    study = STUDIES[name]
    setting = msgspec.structs.replace(study.setting, data=data or study.setting.data)
    searched = _searched(study, data=data, workers=workers, only_table=only_table) if study.searched else None
    return compare(
        setting,
        methods=study.methods,
        seeds=range(study.seeds),
        out=RESULTS / name,
        workers=workers,
        dask="",
        only_table=only_table,
        searched=searched,
    )


def _searched(study: Study, *, data: str, workers: int, only_table: bool) -> tuple[Searched, ...]:
    """Return what the main setting's search found for a study's methods; other images take their steps from it, too."""
    same_images = study.setting.data == MAIN.data
    return search(
        msgspec.structs.replace(MAIN, data=data or MAIN.data) if same_images else MAIN,
        method_names(study.methods),
        STEPS,
        RESULTS / "main",
        workers=workers,
        dask="",
        only_table=only_table or not same_images,
    )


def rules_table(runs: Mapping[int, Result]) -> str:
    """Return what each rule answers from one and the same training of the default, mean over seeds, in %."""
    labs = [result.lab for result in runs.values() if result.lab is not None]
    lines = ["| rule | accuracy | head | medium | tail |", "|---|--:|--:|--:|--:|"]
    for rule in labs[0].generic_rules:
        groups = [lab.generic_rules[rule] for lab in labs]
        cells = [[getattr(g, part) for g in groups] for part in ("accuracy", "head", "medium", "tail")]
        lines.append(f"| generic: {rule} | " + " | ".join(f"{100 * statistics.fmean(c):.1f}" for c in cells) + " |")
    lines += ["", "| rule | mask | paper's protocol | with new classes |", "|---|---|--:|--:|"]
    for number, first in enumerate(labs[0].personal_rules):
        rows = [lab.personal_rules[number] for lab in labs]
        cells = [[row.paper for row in rows], [row.new_classes or 0.0 for row in rows]]
        means = " | ".join(f"{100 * statistics.fmean(cell):.1f}" for cell in cells)
        lines.append(f"| personal: {first.rule} | {first.mask} | {means} |")
    return "\n".join(lines)


def _rows(study: Study, comparison: Comparison, default: Mapping[int, Result]) -> Sequence[MethodSummary]:
    """Return a study's rows; one without the default stands beside the default's runs of the main table."""
    if "fedloge" in comparison.runs:
        return comparison.summaries
    return summarise({"fedloge": default, **comparison.runs}, range(study.seeds))


def report() -> str:
    """Return every table there is, as Markdown."""
    parts = []
    there = {name: found(name, only_table=True) for name in STUDIES if (RESULTS / name).is_dir()}
    default = there["main"].runs["fedloge"] if "main" in there else {}
    for name, study in STUDIES.items():
        if name not in there:
            parts.append(f"### {study.title}\n\nNot run yet: `python -m benchmarks.studies {name}`.")
            continue
        comparison = there[name]
        parts.append(f"### {study.title}\n\n{markdown(_rows(study, comparison, default))}")
        if comparison.missing:
            parts.append(f"{len(comparison.missing)} runs are missing.")
        if name == "main":
            parts.append(f"### Rate and momentum, on validation images\n\n{search_table(comparison.searched)}")
        if name == "main" and comparison.runs["fedloge"]:
            parts.append(f"### Rules, the default's runs\n\n{rules_table(comparison.runs['fedloge'])}")
    runs = speed.finished()
    parts.append("### Speed\n\n" + (speed.table(runs) if runs else "Not measured yet."))
    return "\n\n".join(parts)


def main() -> None:
    """Run what is missing, or print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", help=f"some of: {', '.join(STUDIES)}")
    parser.add_argument("--images", default="", help="folder:DIR with CIFAR-10's images")
    parser.add_argument("--fashion", default="", help="fashion-mnist:DIR")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.studies if name not in STUDIES]
    if unknown:
        sys.exit(f"unknown studies: {', '.join(unknown)}")
    given = {IMAGES: arguments.images, "digits": "digits"}
    try:
        for name in [] if arguments.table else arguments.studies:
            data = given.get(STUDIES[name].setting.data, arguments.fashion)
            if not data:
                sys.exit(f"{name} needs {'--images' if STUDIES[name].setting.data == IMAGES else '--fashion'}")
            found(name, data=data, workers=arguments.workers, only_table=False)
    except FedlogeError as error:
        sys.exit(f"{error.message}\n{error.remedy or ''}")
    print(report())


if __name__ == "__main__":
    main()
