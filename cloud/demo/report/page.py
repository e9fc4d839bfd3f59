"""The demo's report, made only from its result; equal results give equal bytes."""

from typing import Final

from cloud.demo.report.clients import clients_figure
from cloud.demo.report.headline import headline, title
from cloud.demo.report.records import closing_section, models_section
from cloud.demo.report.traffic import traffic_figure
from cloud.report.config import config_section
from cloud.report.figure import figure_section
from cloud.report.holdings import holdings_figure
from cloud.report.learning import learning_figure
from cloud.report.page import document
from cloud.report.per_class import per_class_figure
from cloud.result import Result

PICTURES: Final = (
    (holdings_figure, "who holds which images: the clients' class counts are unknown"),
    (learning_figure, "learning curves: no round was evaluated"),
    (clients_figure, "what each client gains: no client reported figures"),
    (per_class_figure, "accuracy per class: the coordinator had no labelled images"),
    (traffic_figure, "bytes per round: none were counted"),
)
"""In the order of the story: the problem, the learning, the gain, the tail, the price; and why one may be absent."""


def render(result: Result) -> str:
    """Return the report as HTML."""
    drawn = [(make(result), reason) for make, reason in PICTURES]
    return document(
        title=title(result),
        header=headline(result),
        sections=[
            *[figure_section(figure) for figure, _ in drawn if figure is not None],
            closing_section(result),
            models_section(result),
            config_section(result),
        ],
        absent=[reason for figure, reason in drawn if figure is None],
        source="result.json",
    )
