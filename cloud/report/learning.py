"""Picture: accuracy round by round, of the generic model and of the personal ones."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.report.figure import Figure, Table
from cloud.report.marks import area, canvas, curve, diamond, dot, group, label, rule
from cloud.report.scale import NARROW, Axis, label_step, ticks
from cloud.result import Result, RoundFigures
from cloud.words import count, duration, listing, percent

SERIES = (
    ("personal", "pm_mean", "personal models, mean over clients"),
    ("own", "generic_mean", "generic model on the same images"),
    ("generic", "gm", "generic model on the balanced images"),
)
"""Style, field of ``RoundFigures`` and meaning, most important first."""

END_LABEL_PIXELS = 15.0
"""Least distance of two values written at the curves' ends."""

MAX_DOTTED_ROUNDS = 40
"""Up to here every round has its own dot to point at."""


def learning_figure(result: Result) -> Figure | None:
    """Return the learning curves, or None where no round was measured."""
    shown = tuple(series for series in SERIES if len(points_of(result.rounds, series[1])) > 0)
    if not shown:
        return None
    words = caption(result.rounds)
    missing = [("missing", "not every client answered")] if any(r.missing for r in result.rounds) else []
    return Figure(
        name="learning",
        kicker="Learning, round by round",
        heading=heading(result.rounds),
        caption=words,
        legend=(*[(f"line {style}", meaning) for style, _, meaning in shown], *missing),
        draw=lambda width: draw(result.rounds, width, "Line chart of accuracy per round. " + words),
        table=table(result.rounds),
    )


def points_of(rounds: Sequence[RoundFigures], field: str) -> list[tuple[int, float]]:
    """Return (round, accuracy) where the field was measured."""
    return [(figures.round, value) for figures in rounds if (value := getattr(figures, field)) is not None]


def heading(rounds: Sequence[RoundFigures]) -> str:
    """Say how far the most important measured curve came, and how soon it was nearly there."""
    field = next(series[1] for series in SERIES if points_of(rounds, series[1]))
    subject = "Personal models" if field == "pm_mean" else "The generic model"
    verb = "reach" if field == "pm_mean" else "reaches"
    points = points_of(rounds, field)
    (first, start), (last, end) = points[0], points[-1]
    if end <= start or last == first:
        return f"{subject} {'end' if verb == 'reach' else 'ends'} at {percent(end)} after round {last}"
    goal = start + 0.9 * (end - start)
    soon = next(number for number, value in points if value >= goal)
    return f"{subject} {verb} {percent(end)}; nine tenths of the way by round {soon}"


def caption(rounds: Sequence[RoundFigures]) -> str:
    """Return a sentence per curve, and one on clients that were missing."""
    sentences = []
    for _, field, name in SERIES:
        points = points_of(rounds, field)
        if points:
            (first, start), (last, end) = points[0], points[-1]
            sentences.append(
                f"{name[0].upper()}{name[1:]}: {percent(start)} in round {first}, {percent(end)} in {last}."
            )
    late = [figures for figures in rounds if figures.missing]
    if late:
        who = listing(sorted({client for figures in late for client in figures.missing}))
        sentences.append(f"{count(len(late), 'round')} closed without every client ({who} missing).")
    elif any(figures.selected for figures in rounds):
        sentences.append("Every selected client answered in every round.")
    return " ".join(sentences)


def draw(rounds: Sequence[RoundFigures], width: int, alt: str) -> Element:
    """Draw the curves into a plot from 0 to 100 %, with the last values at their ends."""
    height = 260 if width <= NARROW else 340
    x = Axis(rounds[0].round, rounds[-1].round, 44, width - 58)
    y = Axis(0, 1, height - 40, 12)
    numbers = range(rounds[0].round, rounds[-1].round + 1)
    step = label_step((x.end - x.start) / max(1, len(numbers) - 1), 30)
    grid = [rule(x.start, y(v), x.end, y(v), "grid") for v in ticks(1, 5)]
    grid += [label(x.start - 8, y(v) + 4, f"{100 * v:.0f}%", "end") for v in ticks(1, 5)]
    grid += [label(x(number), y.start + 20, str(number), "middle") for number in numbers if number % step == 0]
    grid.append(label((x.start + x.end) / 2, height - 2, "round", "middle soft"))
    late = [
        diamond(x(r.round), y.start, 5, "mark missing", tip=f"round {r.round}: {', '.join(r.missing)} missing")
        for r in rounds
        if r.missing
    ]
    curves = [_curve(rounds, series, x, y) for series in reversed(SERIES)]
    return canvas(width, height, alt, *grid, _gap(rounds, x, y), *curves, *late, *_ends(rounds, x, y))


def _curve(rounds: Sequence[RoundFigures], series: tuple[str, str, str], x: Axis, y: Axis) -> Element:
    style, field, name = series
    points = points_of(rounds, field)
    dots = [
        dot(x(number), y(value), 3, "mark", tip=f"round {number}, {name}: {percent(value)}")
        for number, value in (points if len(points) <= MAX_DOTTED_ROUNDS else points[-1:])
    ]
    return group(style, curve([(x(number), y(value)) for number, value in points], "stroke"), *dots)


def _gap(rounds: Sequence[RoundFigures], x: Axis, y: Axis) -> Element | None:
    """Shade what personal models add over the generic one on the same images."""
    both = [r for r in rounds if r.pm_mean is not None and r.generic_mean is not None]
    if len(both) < 2:
        return None
    upper = [(x(r.round), y(r.pm_mean or 0)) for r in both]
    lower = [(x(r.round), y(r.generic_mean or 0)) for r in reversed(both)]
    return area(upper + lower, "wash personal")


def _ends(rounds: Sequence[RoundFigures], x: Axis, y: Axis) -> list[Element]:
    """Write each curve's last value beside it, pushed apart where they would overlap."""
    ends = [(points[-1], style) for style, field, _ in SERIES if (points := points_of(rounds, field))]
    labels, above = [], -END_LABEL_PIXELS
    for (number, value), style in sorted(ends, key=lambda end: -end[0][1]):
        above = max(y(value) + 4, above + END_LABEL_PIXELS)
        labels.append(label(x(number) + 9, above, percent(value), f"strong ink {style}"))
    return labels


def table(rounds: Sequence[RoundFigures]) -> Table:
    """Return one row per measured round, without columns nobody counted."""
    columns: list[tuple[str, list[str]]] = [("round", [str(r.round) for r in rounds])]
    if any(r.selected for r in rounds):
        columns.append(("updates", [f"{r.accepted} of {r.selected}" if r.selected else "-" for r in rounds]))
    columns.append(("generic, balanced", [percent(r.gm) for r in rounds]))
    columns.append(("generic, own images", [percent(r.generic_mean) for r in rounds]))
    columns.append(("personal", [percent(r.pm_mean) for r in rounds]))
    if any(r.seconds for r in rounds):
        columns.append(("time", [duration(r.seconds) for r in rounds]))
    if any(r.missing for r in rounds):
        columns.append(("missing", [", ".join(r.missing) for r in rounds]))
    return Table(
        headings=tuple(heading for heading, _ in columns),
        rows=tuple(zip(*(cells for _, cells in columns), strict=True)),
    )
