"""One self-contained HTML file around a report's sections; equal sections give equal bytes."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from cloud.report.markup import element, to_html
from cloud.report.style import STYLE

SECURITY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy: the file may fetch nothing and run nothing, whatever its names contain."""


def document(
    *, title: str, header: Element, sections: Sequence[Element | None], absent: Sequence[str], source: str
) -> str:
    """Return a page as HTML; it needs no network and no JavaScript.

    Args:
        title: Of the browser's window.
        header: The first screen.
        sections: In order; None is left out.
        absent: What is not in the report, and why.
        source: What it was written from, such as "result.json".
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=SECURITY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", STYLE),
    )
    body = element(
        "body",
        header,
        element(
            "main",
            *sections,
            element("p", f"Not in this report: {'; '.join(absent)}.", class_="soft") if absent else None,
        ),
        element("footer", f"Written by fedloge from {source}; no part of it was fetched from anywhere."),
    )
    return "<!DOCTYPE html>\n" + to_html(element("html", head, body, lang="en")) + "\n"
