"""One picture with what belongs to it: a heading that says the finding, a legend, words, and the numbers as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree.ElementTree import Element

from cloud.report.markup import Child, element
from cloud.report.scale import NARROW, WIDE

Cell: TypeAlias = "str | Element"
"""A text, or one with a mark around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headings and rows; the first ``num_texts`` columns hold words, the others numbers.

    ``dense`` sets many columns closer, and keeps the first in sight where the table scrolls sideways.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    num_texts: int = 1
    last_is_total: bool = False
    dense: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One picture.

    Attributes:
        name: Anchor in the page.
        kicker: What is shown.
        heading: What it shows, computed from the data.
        caption: The same at more length, with what speaks against it.
        legend: (style class, meaning) of every kind of mark.
        draw: Makes the picture for a width in pixels.
        table: The numbers behind it; None where the page has them in a section of their own.
        shows_table: Whether the table stands open: it is read as much as the picture.
    """

    name: str
    kicker: str
    heading: str
    caption: str
    legend: tuple[tuple[str, str], ...]
    draw: Callable[[int], Element]
    table: Table | None
    shows_table: bool = False


def titled(name: str, kicker: str, heading: str, *children: Child) -> Element:
    """Return a section: what it is about, what it says, and its content."""
    return element("section", element("p", kicker, class_="kicker"), element("h2", heading), *children, id=name)


def figure_section(figure: Figure, *further: Child) -> Element:
    """Return the picture in both widths, of which the style sheet shows one, and what else belongs to it."""
    return titled(
        figure.name,
        figure.kicker,
        figure.heading,
        element(
            "figure",
            element("figcaption", figure.caption),
            legend_list(figure.legend),
            element("div", figure.draw(WIDE), class_="wide"),
            element("div", figure.draw(NARROW), class_="narrow"),
        ),
        _numbers(figure),
        *further,
    )


def _numbers(figure: Figure) -> Element | None:
    if figure.table is None:
        return None
    if figure.shows_table:
        return table_block(figure.table)
    return element("details", element("summary", "The numbers"), table_block(figure.table))


def legend_list(entries: Sequence[tuple[str, str]]) -> Element | None:
    """Return what each kind of mark means, or None where there is only one kind."""
    if not entries:
        return None
    items = [element("li", element("span", class_=f"swatch {style}"), meaning) for style, meaning in entries]
    return element("ul", *items, class_="legend")


def table_block(table: Table) -> Element:
    """Return a table in a box that scrolls sideways where the window is too small for it."""
    head = element("tr", *[element("th", heading, scope="col") for heading in table.headings])
    body = [
        element(
            "tr",
            *[element("td", cell, class_="" if at < table.num_texts else "number") for at, cell in enumerate(row)],
            class_="total" if table.last_is_total and row is table.rows[-1] else "",
        )
        for row in table.rows
    ]
    numbers = f"texts-{table.num_texts}" + (" dense" if table.dense else "")
    return element(
        "div", element("table", element("thead", head), element("tbody", *body), class_=numbers), class_="scroll"
    )
