"""Picture: personal accuracy over clients, method by method: whom each method serves badly."""

import statistics
from collections.abc import Sequence
from math import floor
from xml.etree.ElementTree import Element

from cloud.lab.report.compared import Compared, mark_notes
from cloud.report.figure import Figure, Table
from cloud.report.marks import bar, canvas, diamond, group, label, rule, tiles
from cloud.report.markup import shortened, text_width
from cloud.report.scale import NARROW, Axis, span_ticks
from cloud.words import count, percent

ROW_PIXELS = 38.0

TOP = 30.0


def spread_figure(methods: Sequence[Compared]) -> Figure | None:
    """Return the strips, or None where no client was measured."""
    shown = [m for m in methods if m.clients()]
    if not shown:
        return None
    words = caption(shown)
    return Figure(
        name="spread",
        kicker="Personal accuracy over clients",
        heading=heading(shown),
        caption=words,
        legend=(
            ("personal", "a stroke a client"),
            ("faint", "middle half of the clients, median as a line"),
            ("shape-generic generic", "mean of the worst tenth"),
        ),
        draw=lambda width: draw(shown, width, "Strip chart of personal accuracy per client and method. " + words),
        table=Table(
            headings=("method", "clients", "lowest", "worst tenth", "lower quartile", "median", "upper quartile"),
            rows=tuple(_row(m) for m in shown),
        ),
    )


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile; of one value, that value."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _row(method: Compared) -> tuple[str, ...]:
    values = method.clients()
    figures = (values[0], method.worst_tenth, *quartiles(values))
    return (method.name, str(len(values)), *(percent(value) for value in figures))


def heading(methods: Sequence[Compared]) -> str:
    """Say which method serves its worst clients best."""
    worst = {m.name: value for m in methods if (value := m.worst_tenth) is not None}
    if not worst:
        return "How personal accuracy is spread over clients"
    best = max(worst, key=lambda name: worst[name])
    return f"The worst-served tenth of clients fares best with {best}: {percent(worst[best])}"


def caption(methods: Sequence[Compared]) -> str:
    """Return what is pooled and what the marks are."""
    most = max(len(m.runs) for m in methods)
    clients = max(len(m.clients()) for m in methods)
    pooled = (
        f"The clients of {most} seeds are pooled (each seed deals others): up to {count(clients, 'client')} a method."
        if most > 1
        else f"{count(clients, 'client')} of one seed."
    )
    rest = "Each client is measured on its own local images. Worst tenth: of each seed, mean over seeds."
    return " ".join([pooled, rest, *mark_notes(methods, personal=True)])


def draw(methods: Sequence[Compared], width: int, alt: str) -> Element:
    """Draw a strip a method: every client, the middle half, the median and the worst tenth."""
    names = [f"{m.name} {m.personal_mark}".strip() for m in methods]
    start = min(0.36 * width, max(text_width(name, 13.5) for name in names) + 14)
    low = min(0.9, floor(min(m.clients()[0] for m in methods) * 10) / 10)
    x = Axis(low, 1, start, width - 20)
    bottom = TOP + ROW_PIXELS * len(methods)
    values = span_ticks(low, 1, 5 if width > NARROW else 3)
    grid = [rule(x(v), TOP - 8, x(v), bottom, "grid") for v in values]
    grid += [label(x(v), TOP - 14, f"{100 * v:.0f}%", "middle") for v in values]
    rows = []
    for at, (method, name) in enumerate(zip(methods, names, strict=True)):
        y = TOP + ROW_PIXELS * (at + 0.5)
        strong = "strong" if method.first else ""
        text = shortened(name, start - 12, 13.5)
        rows += [label(start - 10, y + 5, text, f"end {strong}", size=13), _strip(method, x, y)]
    return canvas(width, bottom + 4, alt, *grid, *rows)


def _strip(method: Compared, x: Axis, y: float) -> Element:
    values = method.clients()
    low, middle, high = quartiles(values)
    height = ROW_PIXELS - 18
    worst = method.worst_tenth
    return group(
        "",
        bar(x(low), y - height / 2 - 3, max(1.0, x(high) - x(low)), height + 6, "mark faint", radius=3),
        tiles([(x(value) - 1, y - height / 2) for value in values], 2, height, "mark personal", 0.55),
        rule(x(middle), y - height / 2 - 3, x(middle), y + height / 2 + 3, "median"),
        None if worst is None else diamond(x(worst), y, 6, "mark generic outlined"),
        tip=f"{method.name}: median {percent(middle)}, worst tenth {percent(worst)}",
    )
