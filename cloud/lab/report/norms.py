"""Picture: the row norms of every head, class by class from head to tail."""

from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element

from cloud.lab.report.classes import ClassOrder, class_order
from cloud.report.classes import class_labels, room_below
from cloud.report.figure import Figure, Table
from cloud.report.frame import lines_across
from cloud.report.marks import canvas, column, label
from cloud.report.scale import NARROW, Axis, column_width, ticks
from cloud.result import Result

HEADS: Final = {
    "etf": ("S", "S, the frozen frame"),
    "psi": ("ψ", "ψ, the shared head"),
    "phi": ("φ", "φ, personal heads (mean)"),
}
"""Symbol and name of every head, in the order in which they are shown."""

PLOT_PIXELS = 150.0


def norms_figure(result: Result) -> Figure | None:
    """Return a panel a head, or None where no head was measured."""
    norms = {} if result.lab is None or result.lab.geometry is None else result.lab.geometry.norms
    shown = {name: norms[name] for name in HEADS if norms.get(name)}
    if not shown:
        return None
    order = class_order(result, len(next(iter(shown.values()))))
    words = caption(shown, order)
    symbols = [HEADS[name][0] for name in shown]
    return Figure(
        name="norms",
        kicker="Heads: row norms from head to tail",
        heading=heading(shown, order),
        caption=words,
        legend=order.legend(),
        draw=lambda width: draw(shown, order, width, "Bar charts of row norms per class. " + words),
        table=Table(
            headings=("class", "group", *symbols),
            rows=tuple(
                (name, group, *(f"{values[label]:.3f}" for values in shown.values()))
                for label, name, group in zip(order.labels, order.names, order.groups, strict=True)
            ),
            num_texts=2,
        ),
    )


def heading(norms: Mapping[str, tuple[float, ...]], order: ClassOrder) -> str:
    """Say how much longer head rows are than tail rows in the heads that are trained."""
    told = []
    for name, values in norms.items():
        head, tail = order.mean_of("head", values), order.mean_of("tail", values)
        if name != "etf" and head is not None and tail:
            told.append(f"{head / tail:.2f} ({HEADS[name][0]})")
    if not told:
        return "How long each class's row is in every head"
    return f"Rows of head classes are {' and '.join(told)} times as long as rows of tail classes"


def caption(norms: Mapping[str, tuple[float, ...]], order: ClassOrder) -> str:
    """Return why norms matter, and each head's group means."""
    sentences = [
        "A trained head's rows tend to grow with the images of their class, and a longer row answers more often."
    ]
    sentences.append("Realignment acts on these norms. Each panel has a scale of its own that begins at 0.")
    for name, values in norms.items():
        means = [f"{g} {m:.2f}" for g in ("head", "medium", "tail") if (m := order.mean_of(g, values)) is not None]
        if means:
            sentences.append(f"{HEADS[name][1]}: mean norm {', '.join(means)}.")
    return " ".join(sentences)


def draw(norms: Mapping[str, tuple[float, ...]], order: ClassOrder, width: int, alt: str) -> Element:
    """Draw the panels side by side, or one above the other on a phone."""
    across = 1 if width <= NARROW else len(norms)
    gap = 18.0
    panel = (width - gap * (across - 1)) / across
    slot = (panel - 44) / len(order.names)
    height = 28 + PLOT_PIXELS + room_below(order.names, slot) + 14
    marks: list[Element] = []
    for at, (name, values) in enumerate(norms.items()):
        left, top = (at % across) * (panel + gap), (at // across) * height
        marks += [label(left + 40, top + 14, HEADS[name][1], "strong"), *_panel(values, order, left, panel, top)]
    return canvas(width, height * -(-len(norms) // across), alt, *marks)


def _panel(values: tuple[float, ...], order: ClassOrder, left: float, width: float, top: float) -> list[Element]:
    start, right = left + 40.0, left + width
    y = Axis(0, max(*values, 1e-9), top + 28 + PLOT_PIXELS, top + 28)
    slot = (right - 4 - start) / len(order.names)
    bars = [
        column(
            start + slot * (at + 0.5),
            y(0),
            y(values[label_]),
            column_width(slot),
            f"mark {group}",
            tip=f"{class_name}: {values[label_]:.3f}",
        )
        for at, (label_, class_name, group) in enumerate(zip(order.labels, order.names, order.groups, strict=True))
    ]
    return [
        *lines_across(y, ticks(max(*values, 1e-9), 4), start, right - 4, lambda value: f"{value:.3g}"),
        *bars,
        *class_labels(order.names, slot, start, y(0) + 2),
    ]
