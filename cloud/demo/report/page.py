"""The report: one self-contained HTML file, made only from a result; equal results give equal bytes."""

from typing import Final

from cloud.demo.report.clients import clients_figure
from cloud.demo.report.figure import figure_section
from cloud.demo.report.headline import headline, title
from cloud.demo.report.holdings import holdings_figure
from cloud.demo.report.learning import learning_figure
from cloud.demo.report.markup import element, to_html
from cloud.demo.report.per_class import per_class_figure
from cloud.demo.report.records import closing_section, config_section, models_section
from cloud.demo.report.style import STYLE
from cloud.demo.report.traffic import traffic_figure
from cloud.result import Result

PICTURES: Final = (
    (holdings_figure, "who holds which images: the clients' class counts are unknown"),
    (learning_figure, "learning curves: no round was evaluated"),
    (clients_figure, "what each client gains: no client reported figures"),
    (per_class_figure, "accuracy per class: the coordinator had no labelled images"),
    (traffic_figure, "bytes per round: none were counted"),
)
"""In the order of the story: the problem, the learning, the gain, the tail, the price; and why one may be absent."""

SECURITY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy: the file may fetch nothing and run nothing, whatever its names contain."""


def render(result: Result) -> str:
    """Return the report as HTML; it needs no network and no JavaScript."""
    drawn = [(make(result), reason) for make, reason in PICTURES]
    absent = [reason for figure, reason in drawn if figure is None]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=SECURITY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title(result)),
        element("style", STYLE),
    )
    body = element(
        "body",
        headline(result),
        element(
            "main",
            *[figure_section(figure) for figure, _ in drawn if figure is not None],
            closing_section(result),
            models_section(result),
            config_section(result),
            element("p", f"Not in this report: {'; '.join(absent)}.", class_="soft") if absent else None,
        ),
        element("footer", "Written by fedloge from result.json; no part of it was fetched from anywhere."),
    )
    return "<!DOCTYPE html>\n" + to_html(element("html", head, body, lang="en")) + "\n"
