"""Picture: neural collapse: how class means line up with the head's rows, and at which angle they stand."""

import math
from xml.etree.ElementTree import Element

from cloud.lab.figures import Geometry
from cloud.lab.report.classes import ClassOrder, class_order
from cloud.report.classes import class_labels, room_below
from cloud.report.figure import Figure, Table
from cloud.report.frame import lines_across, lines_upright
from cloud.report.marks import bar, canvas, column, diamond, dot, label, rule
from cloud.report.scale import Axis, column_width, span_ticks
from cloud.result import Result

PLOT_PIXELS = 180.0

GAUGE_PIXELS = 112.0


def simplex_angle(num_classes: int) -> float:
    """Return arccos(-1/(C-1)) in degrees: the angle between any two of C directions that are as far apart as can be."""
    return math.degrees(math.acos(max(-1.0, -1 / (num_classes - 1)))) if num_classes > 1 else 0.0


def collapse_figure(result: Result) -> Figure | None:
    """Return the picture, or None where features were not measured."""
    geometry = None if result.lab is None else result.lab.geometry
    if geometry is None or not geometry.alignment:
        return None
    order = class_order(result, len(geometry.alignment))
    words = caption(geometry)
    return Figure(
        name="collapse",
        kicker="Features: neural collapse",
        heading=heading(geometry),
        caption=words,
        legend=order.legend(),
        draw=lambda width: draw(geometry, order, width, "Bar chart of alignment per class, and angles. " + words),
        table=Table(
            headings=("class", "group", "alignment"),
            rows=tuple(
                (name, group, f"{geometry.alignment[label]:.3f}")
                for label, name, group in zip(order.labels, order.names, order.groups, strict=True)
            ),
            num_texts=2,
        ),
    )


def heading(geometry: Geometry) -> str:
    """Say how far the features are from the simplex they would collapse to."""
    mean = sum(geometry.alignment) / len(geometry.alignment)
    ideal = simplex_angle(len(geometry.alignment))
    return (
        f"Class means stand {geometry.angle_mean:.1f}° apart, those of a simplex {ideal:.1f}°; their alignment with"
        f" the head's rows is {mean:.2f}"
    )


def caption(geometry: Geometry) -> str:
    """Return what collapse would look like, the least aligned value and the spread within classes."""
    return (
        "Were the features collapsed, each class's mean feature (less the mean over classes) would point along its row"
        " of the generic head (alignment, a cosine, of 1), any two class means would stand at the simplex's angle"
        " arccos(−1/(C−1)), and images of a class would have equal features (a ratio of 0)."
        f" Here the lowest alignment is {min(geometry.alignment):.2f}, the angles are {geometry.angle_mean:.1f} ±"
        f" {geometry.angle_std:.1f}° (standard deviation over pairs of classes), and the variance within classes is"
        f" {geometry.within_between:.2f} times that between them."
    )


def draw(geometry: Geometry, order: ClassOrder, width: int, alt: str) -> Element:
    """Draw the alignment of every class, and below it the angles on an axis from 0 to 180 degrees."""
    start, end, top = 44.0, width - 6.0, 30.0
    low = -1.0 if min(geometry.alignment) < 0 else 0.0
    y = Axis(low, 1.0, top + PLOT_PIXELS, top)
    slot = (end - start) / len(order.names)
    bars = [
        column(
            start + slot * (at + 0.5),
            y(0),
            y(geometry.alignment[label_]),
            column_width(slot),
            f"mark {group}",
            tip=f"{name}: {geometry.alignment[label_]:.3f}",
        )
        for at, (label_, name, group) in enumerate(zip(order.labels, order.names, order.groups, strict=True))
    ]
    below = y.start + room_below(order.names, slot)
    return canvas(
        width,
        below + 32 + GAUGE_PIXELS,
        alt,
        label(start, 14, "alignment of class mean and row", "strong"),
        *lines_across(y, span_ticks(low, 1.0, 5), start, end, lambda value: f"{value:.1f}"),
        *bars,
        rule(start, y(0), end, y(0), "base"),
        *class_labels(order.names, slot, start, y.start + 2),
        *_angles(geometry, start, end, below + 32),
    )


def _angles(geometry: Geometry, start: float, end: float, top: float) -> list[Element]:
    x = Axis(0, 180, start, end - 12)
    middle, bottom = top + 34, top + 58
    simplex = simplex_angle(len(geometry.alignment))
    low, high = max(0.0, geometry.angle_mean - geometry.angle_std), min(180.0, geometry.angle_mean + geometry.angle_std)
    tip = f"between class means: {geometry.angle_mean:.1f} ± {geometry.angle_std:.1f}°"
    return [
        label(start, top, "angle between two class means", "strong"),
        label(start, bottom + 44, "● mean ± standard deviation over pairs, ◆ simplex", "soft", size=12),
        *lines_upright(x, (0, 45, 90, 135, 180), top + 12, bottom, lambda value: f"{value:.0f}°"),
        bar(x(low), middle - 6, x(high) - x(low), 12, "wash personal", radius=4),
        dot(x(geometry.angle_mean), middle, 6, "mark personal", tip=tip),
        diamond(x(simplex), middle, 6, "mark ideal outlined", tip=f"simplex: {simplex:.1f}°"),
    ]
