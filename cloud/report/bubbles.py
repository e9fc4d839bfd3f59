"""Clients by classes as bubbles, or, where columns are too narrow for them, as shaded cells."""

from dataclasses import dataclass
from math import ceil, sqrt
from xml.etree.ElementTree import Element

from cloud.report.classes import class_labels, room_below
from cloud.report.marks import canvas, column, dot, group, label, rule, tiles
from cloud.report.markup import shortened, text_width
from cloud.report.scale import Axis, column_width

TOTALS_PIXELS = 84.0
"""Height of the bars above the columns."""

MIN_BUBBLE_PIXELS = 18.0
"""Below this column width bubbles are specks: cells shaded by their number are read instead."""

SHADES = 8
"""Steps of shading: more are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Training images per client and class.

    Attributes:
        clients: Names, most images first.
        classes: Names, most images first.
        groups: Style class of every class.
        images: (clients, classes) numbers of images.
    """

    clients: tuple[str, ...]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    images: tuple[tuple[int, ...], ...]

    @property
    def totals(self) -> list[int]:
        """Images per class."""
        return [sum(column) for column in zip(*self.images, strict=True)]


def draw_bubbles(held: Holdings, width: int, alt: str) -> Element:
    """Draw a bubble per client and class, the classes' totals above and the clients' on the right."""
    slot_of_names = max(text_width(client, 12) for client in held.clients) + 12
    start, end = min(0.26 * width, slot_of_names), width - 48.0
    slot = (end - start) / len(held.classes)
    row = min(44.0, max(13.0, slot, 640 / len(held.clients)))
    font = min(12.0, row - 1)
    top = TOTALS_PIXELS + 24
    bottom = top + row * len(held.clients)
    x = Axis(0, len(held.classes), start, end)
    y = Axis(0, len(held.clients), top, bottom)
    rows = [rule(start, y(at + 0.5), end, y(at + 0.5), "grid") for at in range(len(held.clients))]
    names = [
        label(start - 8, y(i + 0.5) + font / 3, shortened(c, start - 10, font), "end", size=font)
        for i, c in enumerate(held.clients)
    ]
    sums = [
        label(width - 2, y(i + 0.5) + font / 3, str(sum(own)), "end soft", size=font)
        for i, own in enumerate(held.images)
    ]
    return canvas(
        width,
        bottom + room_below(held.classes, slot) + 4,
        alt,
        *rows,
        *_totals(held, x, top - 12),
        *names,
        *sums,
        label(width - 2, top - 10, "all", "end soft", size=font),
        *(_bubbles(held, x, y) if slot >= MIN_BUBBLE_PIXELS else _shades(held, x, y)),
        *class_labels(held.classes, slot, start, bottom + 2),
    )


def _totals(held: Holdings, x: Axis, baseline: float) -> list[Element]:
    y = Axis(0, max(held.totals), baseline, baseline - TOTALS_PIXELS + 4)
    slot = x(1) - x(0)
    width = column_width(slot)
    marks = [
        column(x(at + 0.5), baseline, y(n), width, f"mark {style}", tip=f"{name}: {n}")
        for at, (n, name, style) in enumerate(zip(held.totals, held.classes, held.groups, strict=True))
    ]
    if slot >= 26:
        marks += [label(x(at + 0.5), y(n) - 5, str(n), "middle strong", size=12) for at, n in enumerate(held.totals)]
    return marks


def _shades(held: Holdings, x: Axis, y: Axis) -> list[Element]:
    """Shade cells by the square root of their number, one path per class group and shade."""
    largest = max(max(own) for own in held.images)
    cells: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for line, own in enumerate(held.images):
        for at, number in enumerate(own):
            if number:
                shade = ceil(SHADES * sqrt(number / largest))
                cells.setdefault((held.groups[at], shade), []).append((x(at) + 0.25, y(line) + 0.5))
    width, height = x(1) - x(0) - 0.5, y(1) - y(0) - 1
    return [
        tiles(corners, width, height, f"mark {style}", 0.1 + 0.9 * shade / SHADES)
        for (style, shade), corners in sorted(cells.items())
    ]


def _bubbles(held: Holdings, x: Axis, y: Axis) -> list[Element]:
    largest = max(max(own) for own in held.images)
    unit = 0.5 * min(x(1) - x(0), 1.1 * (y(1) - y(0))) / sqrt(largest)
    columns = []
    for at, (name, style) in enumerate(zip(held.classes, held.groups, strict=True)):
        marks: list[Element] = []
        for line, (client, own) in enumerate(zip(held.clients, held.images, strict=True)):
            radius = max(0.9, unit * sqrt(own[at]))
            if own[at]:
                tip = f"{client}, {name}: {own[at]}"
                marks.append(dot(x(at + 0.5), y(line + 0.5), radius, "mark bubble", tip=tip))
            if radius >= 11:
                marks.append(label(x(at + 0.5), y(line + 0.5) + 4, str(own[at]), "middle inside", size=11))
        columns.append(group(style, *marks))
    return columns
