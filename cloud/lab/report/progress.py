"""Picture: learning curves, a panel a method, with the first method's curves behind every other."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from cloud.lab.report.compared import Compared, Range, mark_notes
from cloud.report.figure import Figure, Table
from cloud.report.frame import lines_across, percents
from cloud.report.marks import area, canvas, curve, dot, group, label, rule
from cloud.report.markup import shortened
from cloud.report.scale import NARROW, Axis, label_step, ticks
from cloud.words import percent

FIELDS: Final = (("personal", "pm_mean", "PM"), ("generic", "gm", "GM"))
"""Style, field of ``RoundFigures`` and name."""

PANEL_PIXELS = 190.0

END_LABEL_PIXELS = 15.0
"""Least distance of two values written at the curves' ends."""


def progress_figure(methods: Sequence[Compared]) -> Figure | None:
    """Return the panels, or None where no round was measured."""
    if not any(method.curve(field) for method in methods for _, field, _ in FIELDS):
        return None
    words = caption(methods)
    return Figure(
        name="learning",
        kicker="Learning, round by round",
        heading=heading(methods),
        caption=words,
        legend=(
            ("line personal", "PM: personal models, mean over clients"),
            ("line generic", "GM: generic model on the balanced images"),
            ("line alone", f"{methods[0].name}'s curves, for comparison"),
        ),
        draw=lambda width: draw(methods, width, "Line charts of accuracy per round, a panel a method. " + words),
        table=Table(
            headings=("method", "round", "GM, mean", "GM, range", "PM, mean", "PM, range"), rows=tuple(_rows(methods))
        ),
    )


def heading(methods: Sequence[Compared]) -> str:
    """Say whose generic and whose personal models end highest."""
    told: dict[str, list[str]] = {}
    for _, field, name in reversed(FIELDS):
        ends = {m.name: list(points.values())[-1].mean for m in methods if (points := m.curve(field))}
        if ends:
            best = max(ends, key=lambda method: ends[method])
            told.setdefault(best, []).append(f"{name} ({percent(ends[best])})")
    return "; ".join(f"{best} ends highest in {' and '.join(names)}" for best, names in told.items())


def caption(methods: Sequence[Compared]) -> str:
    """Return what lines and bands are."""
    most = max(len(method.runs) for method in methods)
    band = f"lines are means over {most} seeds, bands reach from the lowest to the highest" if most > 1 else "one seed"
    text = f"All panels share their axes; {band}. Only measured rounds are drawn, from the first one on."
    return " ".join([text, *mark_notes(methods, generic=True, personal=True)])


def _rows(methods: Sequence[Compared]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for method in methods:
        gm, pm = method.curve("gm"), method.curve("pm_mean")
        rows += [
            (method.name, str(number), *_told(gm.get(number)), *_told(pm.get(number)))
            for number in sorted(gm.keys() | pm.keys())
        ]
    return rows


def _told(found: Range | None) -> tuple[str, str]:
    if found is None:
        return ("-", "-")
    return percent(found.mean), f"{percent(found.low)} to {percent(found.high)}"


def draw(methods: Sequence[Compared], width: int, alt: str) -> Element:
    """Draw the panels, three a row, two on a phone."""
    across = 2 if width <= NARROW else 3
    gap = 16.0
    panel = (width - gap * (across - 1)) / across
    lines = -(-len(methods) // across)
    marks: list[Element] = []
    rounds = [number for method in methods for _, field, _ in FIELDS for number in method.curve(field)]
    for at, method in enumerate(methods):
        left, top = (at % across) * (panel + gap), (at // across) * (PANEL_PIXELS + 56)
        x = Axis(min(rounds), max(rounds), left + 46, left + panel - 40)
        y = Axis(0, 1, top + 26 + PANEL_PIXELS - 14, top + 30)
        marks += _panel(method, methods[0], x, y)
    return canvas(width, lines * (PANEL_PIXELS + 56) - 8, alt, *marks)


def _panel(method: Compared, first: Compared, x: Axis, y: Axis) -> list[Element]:
    numbers = range(int(x.low), int(x.high) + 1)
    step = label_step((x.end - x.start) / max(1, len(numbers) - 1), 34)
    name = shortened(method.name + method.generic_mark + method.personal_mark, x.end + 30 - x.start, 14.5)
    marks = [
        label(x.start, y.end - 12, name, "strong"),
        *lines_across(y, ticks(1, 4), x.start, x.end, percents),
        *[label(x(n), y.start + 18, str(n), "middle") for n in numbers if n % step == 0],
        label(x.end + 30, y.start + 18, "round", "end soft", size=12)
        if x(numbers[-1] // step * step) < x.end - 14
        else label((x.start + x.end) / 2, y.start + 32, "round", "middle soft", size=12),
        rule(x.start, y.start, x.end, y.start, "base"),
    ]
    if not method.first:
        for _, field, _ in FIELDS:
            marks.append(group("alone", curve(_means(first.curve(field), x, y), "stroke behind")))
    ends = []
    for style, field, title in FIELDS:
        points = method.curve(field)
        if points:
            marks.append(_curve(points, style, f"{method.name}, {title}", x, y))
            ends.append((list(points.items())[-1], style))
    above = y.end - END_LABEL_PIXELS
    for (number, value), style in sorted(ends, key=lambda end: -end[0][1].mean):
        above = max(y(value.mean) + 4, above + END_LABEL_PIXELS)
        marks.append(label(x(number) + 7, above, f"{100 * value.mean:.0f}%", f"strong ink {style}", size=12))
    return marks


def _means(points: Mapping[int, Range], x: Axis, y: Axis) -> list[tuple[float, float]]:
    return [(x(number), y(found.mean)) for number, found in points.items()]


def _curve(points: Mapping[int, Range], style: str, name: str, x: Axis, y: Axis) -> Element:
    upper = [(x(number), y(found.high)) for number, found in points.items()]
    lower = [(x(number), y(found.low)) for number, found in reversed(list(points.items()))]
    number, last = list(points.items())[-1]
    return group(
        style,
        area(upper + lower, f"wash {style}") if len(points) > 1 else None,
        curve(_means(points, x, y), "stroke"),
        dot(x(number), y(last.mean), 3.5, "mark", tip=f"{name} after round {number}: {percent(last.mean)}"),
        tip=name,
    )
