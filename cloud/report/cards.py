"""Figures as cards: a number, what it is, and what stands behind it."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from cloud.report.markup import element


def cards_list(cards: Iterable[tuple[str, str, str]]) -> Element:
    """Return the cards in the order given."""
    items = [
        element("li", element("b", figure), element("span", name), element("small", detail))
        for figure, name, detail in cards
    ]
    return element("ul", *items, class_="cards" if len(items) <= 6 else "cards two-rows")
