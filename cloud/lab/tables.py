"""The lab's tables: on a terminal, as Markdown for a document, and as CSV for a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from typing import Final, TypeAlias

from rich.table import Table

from cloud.lab.summary import MethodSummary
from cloud.result import Result
from shared.intervals import Interval

Columns: TypeAlias = tuple[tuple[str, str], ...]

COLUMNS: Final[Columns] = (
    ("gm", "GM"),
    ("gm_head", "head"),
    ("gm_medium", "medium"),
    ("gm_tail", "tail"),
    ("pm", "PM"),
    ("pm_worst", "PM worst tenth"),
    ("pm_new", "PM new classes"),
    ("generic_local", "GM on local tests"),
)
"""Figures of a comparison, and what they are called."""

NARROW: Final[Columns] = tuple(column for column in COLUMNS if column[0] in {"gm", "gm_tail", "pm", "pm_new"})
"""Those that fit a terminal."""


def percent(value: float | None) -> str:
    """Return a fraction in percent with one digit."""
    return "-" if value is None else f"{100 * value:.1f}"


def with_spread(found: Interval | None) -> str:
    """Return mean and sample standard deviation over seeds in percent."""
    if found is None:
        return "-"
    return percent(found.mean) + ("" if found.std is None else f" ± {100 * found.std:.1f}")


def difference(found: Interval | None) -> str:
    """Return a lead in points with its 95 % interval."""
    if found is None:
        return ""
    mean = f"{100 * found.mean:+.1f}"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def headings(columns: Columns) -> list[str]:
    """Return the comparison's column heads."""
    return ["method", "seeds", *(name for _, name in columns), "behind in GM", "behind in PM"]


def rows(summaries: Sequence[MethodSummary], columns: Columns) -> list[list[str]]:
    """Return one row a method; what is missing is said."""
    return [
        [
            summary.method,
            _seeds(summary),
            *(with_spread(summary.figures.get(key)) for key, _ in columns),
            difference(summary.gm_lead),
            difference(summary.pm_lead),
        ]
        for summary in summaries
    ]


def _seeds(summary: MethodSummary) -> str:
    have = max((found.runs for found in summary.figures.values()), default=0)
    return str(have) if not summary.missing else f"{have}, missing {', '.join(map(str, summary.missing))}"


def compare_table(summaries: Sequence[MethodSummary]) -> Table:
    """Return the comparison's most asked columns for a terminal."""
    first = summaries[0].method if summaries else "the first"
    caption = f"% ± standard deviation over seeds; behind: points behind {first}, paired by seed, with 95 % interval"
    table = Table(caption=caption, box=None, pad_edge=False)
    for number, heading in enumerate(headings(NARROW)):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows(summaries, NARROW):
        table.add_row(*row)
    return table


def markdown(summaries: Sequence[MethodSummary]) -> str:
    """Return the comparison as a Markdown table."""
    head = headings(COLUMNS)
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    lines += [f"| `{row[0]}` | " + " | ".join(row[1:]) + " |" for row in rows(summaries, COLUMNS)]
    return "\n".join(lines)


def runs_csv(results: Sequence[Result]) -> str:
    """Return one line a run, figures as fractions."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("method", "seed", "gm", "gm_head", "gm_medium", "gm_tail", "pm", "pm_std", "pm_worst", "seconds", "digest")
    writer.writerow(names)
    for result in results:
        gm, pm, setting = result.gm, result.pm, result.lab.setting if result.lab else None
        writer.writerow(
            [
                setting.method if setting else "",
                setting.seed if setting else "",
                *((gm.accuracy, gm.head, gm.medium, gm.tail) if gm else (None,) * 4),
                pm.mean,
                pm.std,
                pm.worst_decile,
                result.seconds,
                result.global_digest,
            ]
        )
    return out.getvalue()


def curve_csv(result: Result) -> str:
    """Return the learning curve, a line a measured round."""
    lines = ["round,gm,pm_mean,generic_mean"]
    lines += [f"{point.round},{point.gm},{point.pm_mean},{point.generic_mean}" for point in result.rounds]
    return "\n".join(lines) + "\n"


def clients_csv(result: Result) -> str:
    """Return a line a client."""
    lines = ["client,training_images,test_images,generic,personal"]
    lines += [f"{c.client},{c.num_train_images},{c.num_images},{c.generic},{c.personal}" for c in result.pm.per_client]
    return "\n".join(lines) + "\n"


def run_table(result: Result) -> Table:
    """Return one run for a terminal."""
    table = Table(title=None, show_header=True)
    for heading in ("model", "accuracy", "head", "medium", "tail"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    lab = result.lab
    if result.gm is not None:
        gm = result.gm
        table.add_row("generic (GM)", *(f"{percent(v)} %" for v in (gm.accuracy, gm.head, gm.medium, gm.tail)))
    if lab is not None and lab.personal_groups is not None:
        groups = lab.personal_groups
        table.add_row(
            "personal (PM), mean over clients",
            *(f"{percent(v)} %" for v in (groups.accuracy, groups.head, groups.medium, groups.tail)),
        )
    table.add_row("generic on the clients' tests", f"{percent(result.pm.means.generic)} %", "", "", "")
    return table
