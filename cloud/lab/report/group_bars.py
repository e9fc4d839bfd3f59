"""Picture: the generic model on head, medium and tail classes, method by method."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from cloud.lab.report.compared import Compared, mark_notes
from cloud.lab.summary import FIGURES
from cloud.report.figure import Figure, Table
from cloud.report.marks import bar, canvas, group, label, rule
from cloud.report.markup import shortened, text_width
from cloud.report.scale import NARROW, Axis, ticks
from cloud.words import percent
from shared.metrics import HEAD_SHARE, MEDIUM_SHARE

GROUPS: Final = ("head", "medium", "tail")

BAR_PIXELS = 13.0

TOP = 30.0


def group_bars_figure(methods: Sequence[Compared]) -> Figure | None:
    """Return the bars, or None where no method measured a group."""
    shown = [m for m in methods if any(f"gm_{name}" in m.summary.figures for name in GROUPS)]
    if not shown:
        return None
    words = caption(shown)
    return Figure(
        name="groups",
        kicker="The generic model on head, medium and tail classes",
        heading=heading(shown),
        caption=words,
        legend=tuple((name, f"{name} classes") for name in GROUPS),
        draw=lambda width: draw(shown, width, "Bar chart of accuracy per class group and method. " + words),
        table=Table(
            headings=("method", *GROUPS, "head minus tail"),
            rows=tuple((m.name, *(percent(_mean(m, name)) for name in GROUPS), _gap(m)) for m in shown),
        ),
    )


def _mean(method: Compared, name: str) -> float | None:
    found = method.summary.figures.get(f"gm_{name}")
    return None if found is None else found.mean


def _gap(method: Compared) -> str:
    head, tail = _mean(method, "head"), _mean(method, "tail")
    return "-" if head is None or tail is None else f"{100 * (head - tail):.1f}"


def heading(methods: Sequence[Compared]) -> str:
    """Say who does best on the tail."""
    tails = {m.name: value for m in methods if (value := _mean(m, "tail")) is not None}
    if not tails or not any(tails.values()):
        return "No generic model answers a tail class correctly" if tails else "Accuracy by group of classes"
    best = max(tails.values())
    names = [name for name, value in tails.items() if value == best]
    if len(names) == 1:
        return f"{names[0]} is best on the tail: {percent(best)}"
    return f"{len(names)} methods are equally good on the tail: {percent(best)}"


def caption(methods: Sequence[Compared]) -> str:
    """Return how classes are cut, and what the whiskers are."""
    sentences = [
        "Classes in order of their training images, cut by the paper's rule:",
        f"head up to {HEAD_SHARE:.0%} of all images, medium up to {MEDIUM_SHARE:.0%}, tail the rest.",
    ]
    if any(len(m.runs) > 1 for m in methods):
        sentences.append("Bars are means over seeds; lines reach from the lowest to the highest seed.")
    return " ".join([*sentences, *mark_notes(methods, generic=True)])


def draw(methods: Sequence[Compared], width: int, alt: str) -> Element:
    """Draw three bars a method on an axis from 0 to 100 %."""
    names = [f"{m.name} {m.generic_mark}".strip() for m in methods]
    start = min(0.36 * width, max(text_width(name, 13.5) for name in names) + 14)
    x = Axis(0, 1, start, width - 44)
    row = 3 * BAR_PIXELS + 14
    bottom = TOP + row * len(methods)
    values = ticks(1, 5 if width > NARROW else 3)
    grid = [rule(x(v), TOP - 8, x(v), bottom - 8, "grid") for v in values]
    grid += [label(x(v), TOP - 14, f"{100 * v:.0f}%", "middle") for v in values]
    marks: list[Element] = []
    for at, (method, name) in enumerate(zip(methods, names, strict=True)):
        top = TOP + row * at
        strong = "strong" if method.first else ""
        text = shortened(name, start - 12, 13.5)
        marks.append(label(start - 10, top + 1.5 * BAR_PIXELS + 5, text, f"end {strong}", size=13))
        marks += [_bar(method, own, top + index * BAR_PIXELS, x) for index, own in enumerate(GROUPS)]
    return canvas(width, bottom, alt, *grid, *marks)


def _bar(method: Compared, name: str, top: float, x: Axis) -> Element:
    mean = _mean(method, name)
    if mean is None:
        return label(x.start + 4, top + BAR_PIXELS - 2, f"no {name} class", "soft", size=11)
    seeds = list(method.over_seeds(FIGURES[f"gm_{name}"]).values())
    middle = top + BAR_PIXELS / 2 - 0.5
    ends = (x(min(seeds)), middle, x(max(seeds)), middle)
    spread = [rule(*ends, "whisker under"), rule(*ends, "whisker")] if max(seeds) > min(seeds) else []
    return group(
        name,
        bar(x.start, top, max(0.75, x(mean) - x.start), BAR_PIXELS - 1, "mark"),
        *spread,
        label(x(max(seeds)) + 6, top + BAR_PIXELS - 2.5, f"{100 * mean:.0f}", "halo", size=11),
        tip=f"{method.name}, {name}: {percent(mean)}",
    )
