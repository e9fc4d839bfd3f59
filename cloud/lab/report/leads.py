"""Picture: how far the first method is ahead of each other one, paired by seed, with 95 % intervals."""

from collections.abc import Callable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from cloud.lab.report.compared import Compared
from cloud.lab.summary import MethodSummary
from cloud.report.figure import Figure
from cloud.report.marks import canvas, dot, group, label, rule
from cloud.report.markup import shortened, text_width
from cloud.report.scale import NARROW, Axis, span_ticks, widened
from cloud.words import count, gain, listing
from shared.intervals import Interval

LEADS: Final[tuple[tuple[str, str, Callable[[MethodSummary], Interval | None]], ...]] = (
    ("GM", "generic", lambda summary: summary.gm_lead),
    ("PM", "personal", lambda summary: summary.pm_lead),
)
"""Name, style and where it stands in a summary."""

ROW_PIXELS = 30.0

TOP = 48.0

REACH = 1.5
"""The axis shows all means, and intervals up to this many times the largest one; longer ones end in an arrow: two seeds
alone give intervals of 18 standard deviations, which would press everything else into a point."""


def leads_figure(methods: Sequence[Compared]) -> Figure | None:
    """Return the picture, or None where there is nothing to compare."""
    others = [m for m in methods if m.summary.gm_lead is not None or m.summary.pm_lead is not None]
    first = next((m.name for m in methods if m.first), None)
    if not others or first is None:
        return None
    words = caption(others, first)
    return Figure(
        name="leads",
        kicker=f"How far {first} is ahead",
        heading=heading(others, first),
        caption=words,
        legend=(),
        draw=lambda width: draw(others, width, "Leads with intervals per method. " + words),
        table=None,
    )


def heading(others: Sequence[Compared], first: str) -> str:
    """Say over how many methods the lead is certain at 95 %."""
    told = []
    for name, _, lead_of in LEADS:
        sure = sum(1 for m in others if (lead := lead_of(m.summary)) is not None and lead.above_zero())
        told.append(f"over {sure} of {count(len(others), 'method')} in {name}")
    return f"At 95%, {first}'s lead is certain {' and '.join(told)}"


def caption(others: Sequence[Compared], first: str) -> str:
    """Return how to read it, and where the first method is behind."""
    sentences = [
        f"Points: mean over seeds of {first} minus the method on the same seed, in percentage points.",
        "Lines: 95% intervals; one that crosses 0 proves no difference; an arrow goes on beyond the axis.",
    ]
    for name, _, lead_of in LEADS:
        behind = [m.name for m in others if (lead := lead_of(m.summary)) is not None and lead.mean < 0]
        if behind:
            sentences.append(f"In mean {name}, {first} is behind {listing(behind, limit=9)}.")
    if any((lead := lead_of(m.summary)) is not None and lead.low is None for m in others for _, _, lead_of in LEADS):
        sentences.append("A point without a line rests on one seed, which says nothing about the spread.")
    return " ".join(sentences)


def draw(others: Sequence[Compared], width: int, alt: str) -> Element:
    """Draw GM and PM side by side, or one above the other on a phone."""
    names = [m.name for m in others]
    start = min(0.36 * width, max(text_width(name, 13.5) for name in names) + 14)
    height = TOP + ROW_PIXELS * len(others) + 8
    if width <= NARROW:
        panels = [
            _panel(others, LEADS[0], (start, width - 54), 0, named=start),
            _panel(others, LEADS[1], (start, width - 54), height, named=start),
        ]
        return canvas(width, 2 * height, alt, *panels)
    half = (width - start) / 2
    return canvas(
        width,
        height,
        alt,
        _panel(others, LEADS[0], (start, start + half - 64), 0, named=start),
        _panel(others, LEADS[1], (start + half + 8, width - 54), 0, named=0),
    )


def _panel(
    others: Sequence[Compared],
    kind: tuple[str, str, Callable[[MethodSummary], Interval | None]],
    span: tuple[float, float],
    top: float,
    *,
    named: float,
) -> Element:
    """Draw one figure's leads; names end at ``named`` pixels, 0 leaves them out."""
    title, style, lead_of = kind
    found = [lead_of(m.summary) for m in others]
    x = _axis([lead for lead in found if lead is not None], *span)
    bottom = top + TOP + ROW_PIXELS * len(others)
    values = span_ticks(x.low, x.high, 4)
    marks: list[Element] = [label(x.start, top + 13, f"lead in {title}, points", "strong")]
    marks += [rule(x(v), top + TOP - 8, x(v), bottom, "grid") for v in values]
    marks += [label(x(v), top + TOP - 13, f"{v:+g}" if v else "0", "middle") for v in values]
    marks.append(rule(x(0), top + TOP - 8, x(0), bottom, "base"))
    for at, (method, lead) in enumerate(zip(others, found, strict=True)):
        y = top + TOP + ROW_PIXELS * (at + 0.5)
        if named:
            marks.append(label(named - 10, y + 5, shortened(method.name, named - 12, 13.5), "end", size=13))
        if lead is not None:
            marks.append(_lead(lead, x, y, f"{method.name}, {title}"))
    return group(style, *marks)


def _axis(leads: Sequence[Interval], start: float, end: float) -> Axis:
    means = [100 * lead.mean for lead in leads] or [0.0]
    reach = REACH * max(5.0, *(abs(mean) for mean in means))
    ends = [100 * end for lead in leads for end in (lead.low, lead.high) if end is not None]
    low, high = widened([0.0, *means, *(min(reach, max(-reach, end)) for end in ends)], 4, least=2.0)
    return Axis(low, high, start, end)


def _lead(lead: Interval, x: Axis, y: float, name: str) -> Element:
    marks: list[Element] = []
    tip = f"{name}: {gain(lead.mean)} points"
    if lead.low is not None and lead.high is not None:
        low, high = 100 * lead.low, 100 * lead.high
        tip += f", 95% interval {low:+.1f} to {high:+.1f}"
        left, right = x(max(low, x.low)), x(min(high, x.high))
        marks.append(rule(left, y, right, y, "reach"))
        marks += _end(left, y, -1 if low < x.low else 0)
        marks += _end(right, y, 1 if high > x.high else 0)
    marks.append(dot(x(100 * lead.mean), y, 5.5, "mark outlined"))
    marks.append(label(x.end + 48, y + 5, gain(lead.mean), "end strong", size=13))
    return group("", *marks, tip=tip)


def _end(x: float, y: float, beyond: int) -> list[Element]:
    """Return a bar across a line's end, or an arrow head where the line goes on."""
    if not beyond:
        return [rule(x, y - 5, x, y + 5, "reach")]
    return [rule(x, y, x - 7 * beyond, y - 5, "reach"), rule(x, y, x - 7 * beyond, y + 5, "reach")]
