"""HTML and SVG elements on the standard library's tree: every text and attribute is escaped by its serialiser."""

from typing import Final, TypeAlias
from xml.etree.ElementTree import Element, tostring

Child: TypeAlias = "Element | str | None"

_LETTER_PIXELS: Final = 0.58
"""Mean width of a letter in system fonts, in multiples of the font size; names are set with a little room to spare."""


def element(tag: str, *children: Child, **attributes: str | float) -> Element:
    """Return an element.

    Args:
        tag: HTML or SVG element name.
        children: Elements and texts in order; None is skipped, so a part can be left out in place.
        attributes: A trailing underscore is dropped (``class_``), inner ones become dashes; numbers get two decimals.
    """
    node = Element(tag, {key.rstrip("_").replace("_", "-"): written(value) for key, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            node.append(child)
        elif child is not None and len(node):
            node[-1].tail = (node[-1].tail or "") + child
        elif child is not None:
            node.text = (node.text or "") + child
    return node


def written(value: str | float) -> str:
    """Return a text as it is, and a number with at most two decimals: finer than any screen."""
    if isinstance(value, str):
        return value
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_html(node: Element) -> str:
    """Serialise as HTML; ``style`` is written raw, all else escaped."""
    return tostring(node, encoding="unicode", method="html")


def text_width(text: str, font_pixels: float) -> float:
    """Estimate the width of a text in pixels; no font is at hand where a report is written."""
    return len(text) * _LETTER_PIXELS * font_pixels


def shortened(text: str, max_pixels: float, font_pixels: float) -> str:
    """Return the text, its middle cut where it is wider than ``max_pixels``: names often differ at their ends."""
    room = max(3, int(max_pixels / (_LETTER_PIXELS * font_pixels)))
    return text if len(text) <= room else f"{text[: room // 2]}…{text[len(text) - (room - 1) // 2 :]}"
