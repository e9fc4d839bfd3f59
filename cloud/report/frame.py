"""The grid of a picture: lines across or upright at round values, each with its value in the margin."""

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

from cloud.report.marks import label, rule
from cloud.report.scale import Axis


def lines_across(
    y: Axis, values: Sequence[float], start: float, end: float, text: Callable[[float], str]
) -> list[Element]:
    """Return horizontal lines from ``start`` to ``end`` with their values on the left."""
    rules = [rule(start, y(value), end, y(value), "grid") for value in values]
    return rules + [label(start - 8, y(value) + 4, text(value), "end") for value in values]


def lines_upright(
    x: Axis, values: Sequence[float], top: float, bottom: float, text: Callable[[float], str]
) -> list[Element]:
    """Return vertical lines from ``top`` to ``bottom`` with their values below."""
    rules = [rule(x(value), top, x(value), bottom, "grid") for value in values]
    return rules + [label(x(value), bottom + 18, text(value), "middle") for value in values]


def percents(value: float) -> str:
    """Return a round fraction as a whole number of percent."""
    return f"{100 * value:.0f}%"
