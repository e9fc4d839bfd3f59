"""The report of one run of the lab, made only from its result; equal results give equal bytes."""

from xml.etree.ElementTree import Element

from cloud.lab.report.clients import clients_figure
from cloud.lab.report.collapse import collapse_figure
from cloud.lab.report.norms import norms_figure
from cloud.lab.report.personal_rules import personal_rules_section
from cloud.lab.report.run_headline import headline, title
from cloud.lab.report.tables import generic_rules_section, groups_section
from cloud.report.config import config_section
from cloud.report.figure import Figure, figure_section
from cloud.report.holdings import holdings_figure
from cloud.report.learning import learning_figure
from cloud.report.page import document
from cloud.report.per_class import per_class_figure
from cloud.result import Result
from shared.errors import ArtifactError


def render_run(result: Result) -> str:
    """Return the report as HTML.

    Raises:
        ArtifactError: The result is not the lab's.
    """
    lab = result.lab
    if lab is None:
        raise ArtifactError("the result holds no figures of the lab", remedy="use the report of the demo that made it")
    sections = [
        (_pictured(holdings_figure(result)), "who holds which images: the clients' class counts are unknown"),
        (_pictured(learning_figure(result)), "learning curves: no round was evaluated"),
        (_pictured(clients_figure(result)), "what each client gains: no client measured both models"),
        (_pictured(per_class_figure(result)), "accuracy per class: the generic model was not measured per class"),
        (groups_section(result), "head, medium and tail: not measured"),
        (personal_rules_section(result), "rules for personal models: none was measured"),
        (generic_rules_section(result), "rules for the generic model: this method has no shared head"),
        (_pictured(norms_figure(result)), "row norms: no head was measured"),
        (_pictured(collapse_figure(result)), "neural collapse: features were not measured"),
    ]
    return document(
        title=title(result),
        header=headline(result, lab),
        sections=[*[section for section, _ in sections], config_section(result)],
        absent=[reason for section, reason in sections if section is None],
        source="result.json",
    )


def _pictured(figure: Figure | None) -> Element | None:
    return None if figure is None else figure_section(figure)
