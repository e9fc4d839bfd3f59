"""The few SVG shapes that the pictures are made of; colours come from the style sheet's classes, light and dark."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.report.markup import Child, element, written


def canvas(width: float, height: float, alt: str, *children: Child) -> Element:
    """Return a picture of ``width`` by ``height`` pixels that a screen reader announces as ``alt``."""
    box = f"0 0 {written(width)} {written(height)}"
    return element("svg", *children, viewBox=box, role="img", aria_label=alt)


def group(class_: str, *children: Child, tip: str = "") -> Element:
    """Return shapes that share a style and, with ``tip``, the text shown when the pointer rests on them."""
    return element("g", _tip(tip), *children, class_=class_)


def bar(x: float, y: float, width: float, height: float, class_: str, *, tip: str = "", radius: float = 0) -> Element:
    """Return a rectangle from its upper left corner."""
    rounded = {"rx": radius} if radius else {}
    return element("rect", _tip(tip), x=x, y=y, width=width, height=height, class_=class_, **rounded)


def column(middle: float, base: float, end: float, width: float, class_: str, *, tip: str = "") -> Element:
    """Return a bar from its base line up or down to ``end``, rounded only there: its length is read at a flat foot."""
    radius = min(3.0, width / 4, abs(end - base))
    turn = radius if end >= base else -radius
    left, right = middle - width / 2, middle + width / 2
    path = f"M{written(left)} {written(base)}V{written(end - turn)}Q{written(left)} {written(end)}"
    path += f" {written(left + radius)} {written(end)}H{written(right - radius)}Q{written(right)} {written(end)}"
    path += f" {written(right)} {written(end - turn)}V{written(base)}z"
    return element("path", _tip(tip), d=path, class_=class_)


def tiles(corners: Sequence[tuple[float, float]], width: float, height: float, class_: str, opacity: float) -> Element:
    """Return many equal rectangles as one path: a dense picture stays small."""
    edges = f"h{written(width)}v{written(height)}h{written(-width)}z"
    path = "".join(f"M{written(x)} {written(y)}{edges}" for x, y in corners)
    return element("path", d=path, class_=class_, fill_opacity=opacity)


def dot(x: float, y: float, radius: float, class_: str, *, tip: str = "") -> Element:
    """Return a circle."""
    return element("circle", _tip(tip), cx=x, cy=y, r=radius, class_=class_)


def diamond(x: float, y: float, radius: float, class_: str, *, tip: str = "") -> Element:
    """Return a square on its corner: told from a circle without colour."""
    path = f"M{written(x)} {written(y - radius)}l{written(radius)} {written(radius)}"
    path += f" {written(-radius)} {written(radius)} {written(-radius)} {written(-radius)}z"
    return element("path", _tip(tip), d=path, class_=class_)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def curve(points: Sequence[tuple[float, float]], class_: str) -> Element:
    """Return straight segments through the points."""
    return element("polyline", points=_joined(points), class_=class_)


def area(points: Sequence[tuple[float, float]], class_: str) -> Element:
    """Return a filled polygon."""
    return element("polygon", points=_joined(points), class_=class_)


def label(x: float, y: float, text: str, class_: str = "", *, turned: bool = False, size: float = 0) -> Element:
    """Return a text at its baseline, ``size`` pixels high (0: the style sheet's); ``turned`` reads upwards."""
    place: dict[str, str | float] = {"x": x, "y": y}
    if size:
        place["font_size"] = size
    if turned:
        place["transform"] = f"rotate(-90 {written(x)} {written(y)})"
    return element("text", text, class_=f"label {class_}".strip(), **place)


def _tip(text: str) -> Element | None:
    return element("title", text) if text else None


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{written(x)},{written(y)}" for x, y in points)
