"""The comparison as tables: the generic models, the personal models, the best of each column marked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element

from cloud.lab.comparison import Comparison
from cloud.lab.report.compared import Compared, mark_notes
from cloud.lab.summary import MethodSummary
from cloud.lab.tables import difference, with_spread
from cloud.report.figure import Cell, Table, table_block, titled
from cloud.report.markup import element
from cloud.words import count, duration
from shared.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: a figure of the summary, what it is called, and which end of it is best."""

    key: str
    heading: str
    best: Callable[[Sequence[float]], float] | None = max
    written: Callable[[Interval | None], str] = with_spread


def _plain(found: Interval | None) -> str:
    return "-" if found is None else f"{found.mean:.1f}"


def _time(found: Interval | None) -> str:
    return "-" if found is None else duration(found.mean)


GENERIC: Final = (
    Column(key="gm", heading="GM"),
    Column(key="gm_head", heading="head"),
    Column(key="gm_medium", heading="medium"),
    Column(key="gm_tail", heading="tail"),
    Column(key="f1", heading="macro-F1"),
    Column(key="ece", heading="calibration error", best=min),
    Column(key="seconds", heading="time", best=None, written=_time),
)

PERSONAL: Final = (
    Column(key="pm", heading="PM"),
    Column(key="pm_std", heading="spread over clients", best=min),
    Column(key="pm_worst", heading="worst tenth"),
    Column(key="pm_new", heading="new classes"),
    Column(key="generic_local", heading="generic, local"),
    Column(key="hurt", heading="clients hurt", best=min, written=_plain),
)


def tables_section(comparison: Comparison, methods: Sequence[Compared]) -> Element:
    """Return both tables, with notes on methods that lack a head or a personal part."""
    first = comparison.summaries[0].method if comparison.summaries else "-"
    no_head = {m.name: f" {m.generic_mark}" for m in methods if m.generic_mark}
    no_part = {m.name: f" {m.personal_mark}" for m in methods if m.personal_mark}
    nobody_hurt = {m.name for m in methods if m.is_generic}
    personal = [_without_hurt(s) if s.method in nobody_hurt else s for s in comparison.summaries]
    return titled(
        "comparison",
        "The comparison",
        "Every method, mean ± standard deviation over seeds",
        element("p", explanation(comparison, first)),
        element("h3", "The generic model, on balanced images (%)"),
        _table(comparison.summaries, GENERIC, no_head, ("lead in GM", lambda summary: summary.gm_lead)),
        element("h3", "The personal models, each on its client's local images (%; clients hurt: a number)"),
        _table(personal, PERSONAL, no_part, ("lead in PM", lambda summary: summary.pm_lead)),
        *[element("p", note, class_="soft") for note in mark_notes(methods, generic=True, personal=True)],
    )


def _without_hurt(summary: MethodSummary) -> MethodSummary:
    """Return a summary of a method whose personal model is the generic one: that it hurts nobody is no merit."""
    return replace(summary, figures={key: found for key, found in summary.figures.items() if key != "hurt"})


def explanation(comparison: Comparison, first: str) -> str:
    """Return what the columns mean."""
    sentences = [
        "The best mean of each column is marked.",
        f"Lead: points by which {first} is ahead of the method, paired by seed, with the 95% interval in brackets.",
        "A bold one's interval leaves out 0; one that holds 0 proves no difference.",
        "Worst tenth: mean PM of the clients served worst.",
        "Calibration error: mean gap between the model's confidence and how often it is right. Time: of one run.",
        "New classes: PM where part of each client's images are of classes it never trained on.",
        "Generic, local: the generic model on the same local images as PM.",
        "Clients hurt: those whose personal model is worse than the generic one, mean over seeds.",
    ]
    if max((len(by_seed) for by_seed in comparison.runs.values()), default=0) < 2:
        sentences.insert(3, "One seed says nothing about the spread, so there is no interval.")
    return " ".join(sentences)


def _table(
    summaries: Sequence[MethodSummary],
    columns: Sequence[Column],
    marks: Mapping[str, str],
    lead: tuple[str, Callable[[MethodSummary], Interval | None]],
) -> Element:
    lead_heading, lead_of = lead
    first, *others = columns
    headings = ("method", first.heading, lead_heading, *(column.heading for column in others), "seeds")
    rows: list[tuple[Cell, ...]] = []
    for at, summary in enumerate(summaries):
        leading = _lead(lead_of(summary)) if at else "(reference)"
        rows.append(
            (
                summary.method + marks.get(summary.method, ""),
                _cell(first, summary, summaries),
                leading,
                *(_cell(column, summary, summaries) for column in others),
                seeds(summary),
            )
        )
    return table_block(Table(headings=headings, rows=tuple(rows), dense=True))


def _lead(found: Interval | None) -> Cell:
    """Return a lead, bold where its interval leaves out 0."""
    text = difference(found) or "-"
    sure = found is not None and found.low is not None and found.high is not None and found.low * found.high > 0
    return element("b", text) if sure else text


def _cell(column: Column, summary: MethodSummary, summaries: Sequence[MethodSummary]) -> Cell:
    found = summary.figures.get(column.key)
    text = column.written(found)
    if found is None or column.best is None:
        return text
    means = [other.figures[column.key].mean for other in summaries if column.key in other.figures]
    if len(set(means)) < 2 or found.mean != column.best(means):
        return text
    return element("mark", text, class_="personal")


def seeds(summary: MethodSummary) -> str:
    """Return how many seeds are in, and of how many where some are missing."""
    have = max((found.runs for found in summary.figures.values()), default=0)
    return str(have) if not summary.missing else f"{have} of {have + len(summary.missing)}"


def missing_note(comparison: Comparison) -> str:
    """Return which runs are not there; "" where all are."""
    if not comparison.missing:
        return ""
    told = [
        f"{summary.method} (seed {', '.join(map(str, summary.missing))})"
        for summary in comparison.summaries
        if summary.missing
    ]
    every = sum(len(s.missing) for s in comparison.summaries) + sum(len(runs) for runs in comparison.runs.values())
    text = f"Not complete: {len(comparison.missing)} of {count(every, 'run')} missing: {', '.join(told)}."
    if len({frozenset(runs) for runs in comparison.runs.values()}) > 1:
        text += " Means over different seeds are not comparable; leads use the seeds that both methods have."
    return text
