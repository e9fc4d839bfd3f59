"""The report of a comparison, made only from its results; equal results give equal bytes."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import msgspec

from cloud.lab.comparison import Comparison
from cloud.lab.report.compared import Compared, compared
from cloud.lab.report.comparison_tables import missing_note, tables_section
from cloud.lab.report.group_bars import group_bars_figure
from cloud.lab.report.leads import leads_figure
from cloud.lab.report.progress import progress_figure
from cloud.lab.report.spread import spread_figure
from cloud.lab.report.trade import trade_figure
from cloud.report.config import entries
from cloud.report.figure import Figure, figure_section, titled
from cloud.report.markup import element
from cloud.report.page import document
from cloud.words import count, percent


def render_comparison(comparison: Comparison) -> str:
    """Return the report as HTML."""
    methods = compared(comparison)
    sections = [
        (_pictured(trade_figure(methods)), "GM against PM: no method measured both"),
        (_pictured(leads_figure(methods)), "leads with intervals: there is no pair of runs on one seed"),
        (_pictured(progress_figure(methods) if methods else None), "learning curves: no round was evaluated"),
        (_pictured(group_bars_figure(methods)), "head, medium and tail: no group was measured"),
        (_pictured(spread_figure(methods)), "personal accuracy over clients: no client was measured"),
    ]
    return document(
        title=title(methods),
        header=headline(comparison, methods),
        sections=[
            tables_section(comparison, methods),
            *[section for section, _ in sections],
            titled("run", "The runs", "What was run", entries(_settings(comparison, methods))),
        ],
        absent=[reason for section, reason in sections if section is None],
        source="the runs' files",
    )


def _pictured(figure: Figure | None) -> Element | None:
    return None if figure is None else figure_section(figure)


def title(methods: Sequence[Compared]) -> str:
    """Say which method has the highest mean GM and PM."""
    best: dict[str, tuple[str, float]] = {}
    for key in ("gm", "pm"):
        means = {m.name: m.summary.figures[key].mean for m in methods if key in m.summary.figures}
        if means:
            name = max(means, key=lambda method: means[method])
            best[key] = (name, means[name])
    if len(best) < 2:
        return "A comparison without a finished run" if not best else "A comparison of methods"
    (gm_name, gm), (pm_name, pm) = best["gm"], best["pm"]
    if len(methods) == 1:
        return f"{gm_name}: mean GM {percent(gm)}, mean PM {percent(pm)}"
    if gm_name == pm_name:
        return f"{gm_name} has the highest mean GM, {percent(gm)}, and the highest mean PM, {percent(pm)}"
    return f"Highest mean GM: {gm_name}, {percent(gm)}; highest mean PM: {pm_name}, {percent(pm)}"


def headline(comparison: Comparison, methods: Sequence[Compared]) -> Element:
    """Return title, setting, and what is missing."""
    missing = missing_note(comparison)
    return element(
        "header",
        element("p", "FedLoGe lab comparison", class_="kicker"),
        element("h1", title(methods)),
        element("p", setting(comparison), class_="lead"),
        element("p", missing, class_="note") if missing else None,
    )


def setting(comparison: Comparison) -> str:
    """Return what all runs share, and what GM and PM are."""
    base = comparison.base
    runs = sum(len(by_seed) for by_seed in comparison.runs.values())
    part = "test images" if base.measured_on == "test" else "validation images, which no client trained on"
    return (
        f"{count(len(comparison.runs), 'method')}, {count(runs, 'finished run')}: {count(base.clients, 'client')} on"
        f" {base.data}, imbalance factor {base.imbalance:g}, Dirichlet α {base.alpha:g}, {count(base.rounds, 'round')},"
        f" {base.backbone}. Equal seeds mean equal images, partition, start and participants for all methods. Measured"
        f" on {part}. GM is the accuracy of the one generic model on balanced images; PM is the mean accuracy of the"
        f" personal models, each on its own client's local images, which follow that client's training classes."
    )


def _settings(comparison: Comparison, methods: Sequence[Compared]) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(comparison.base)
    for name in ("method", "seed"):
        told.pop(name, None)
    if comparison.searched:
        del told["learning_rate"], told["momentum"]
        told["SGD's step, searched on validation images"] = ", ".join(
            f"{one.method}: {'not known yet' if (step := one.chosen) is None else step.words()}"
            for one in comparison.searched
        )
    runs = [run for method in methods for run in method.runs.values()]
    for name in ("precision", "threads", "torch", "python", "cores"):
        values = sorted({str(run.config[name]) for run in runs if name in run.config})
        if values:
            told[name] = ", ".join(values)
    titles: dict[str, object] = {
        m.name: lab.title for m in methods if (lab := next(iter(m.runs.values())).lab) is not None
    }
    return told | titles
