"""The run's tables without a picture: every generic rule, and both ways to cut classes into groups."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from cloud.lab.figures import GroupFigures, LabFigures
from cloud.lab.report.in_use import rules_of
from cloud.lab.report.rule_words import generic_rule, glossary
from cloud.report.figure import Cell, Table, table_block, titled
from cloud.report.markup import element
from cloud.result import Result
from cloud.words import percent
from shared.metrics import HEAD_ABOVE, HEAD_SHARE, MEDIUM_SHARE, TAIL_BELOW

HEADINGS = ("accuracy", "head", "medium", "tail")


def generic_rules_section(result: Result) -> Element | None:
    """Return the table of generic rules, the one in use named, or None where the method has no shared head."""
    lab = result.lab
    if lab is None or not lab.generic_rules:
        return None
    used = rules_of(lab)
    rows = tuple(
        (
            generic_rule(name) + (" (in use)" if used.generic(name) else ""),
            name,
            *_cells(figures, tuple(lab.generic_rules.values())),
        )
        for name, figures in lab.generic_rules.items()
    )
    current = next((n for n in lab.generic_rules if used.generic(n)), None)
    top = max(lab.generic_rules, key=lambda name: lab.generic_rules[name].accuracy)
    return titled(
        "generic-rules",
        "Every rule for the generic model",
        _heading(lab.generic_rules, current, top),
        element("p", "Accuracy on the balanced images; the best of each column is marked, nothing was chosen by it."),
        table_block(Table(headings=("rule", "setting", *HEADINGS), rows=rows, num_texts=2)),
        glossary([generic_rule(name) for name in lab.generic_rules]),
    )


def _heading(rules: Mapping[str, GroupFigures], current: str | None, top: str) -> str:
    if len(rules) == 1:
        return f"One rule: {generic_rule(top)}, {percent(rules[top].accuracy)}"
    if current is None or rules[current].accuracy >= rules[top].accuracy:
        return f"{generic_rule(current or top)} is the most accurate rule{' and in use' if current else ''}"
    behind = 100 * (rules[top].accuracy - rules[current].accuracy)
    return f"{generic_rule(current)} is in use; {generic_rule(top)} is {behind:.1f} points more accurate here"


def _cells(figures: GroupFigures, everyone: Sequence[GroupFigures]) -> list[Cell]:
    """Return a rule's accuracies, each marked where it is the best of a column whose values differ."""
    cells: list[Cell] = []
    for name in HEADINGS:
        values = [value for other in everyone if (value := getattr(other, name)) is not None]
        text = percent(getattr(figures, name))
        best = values and getattr(figures, name) == max(values) > min(values)
        cells.append(element("mark", text, class_="generic") if best else text)
    return cells


def groups_section(result: Result) -> Element | None:
    """Return accuracy per group of classes by every way of grouping that was measured, and calibration."""
    lab, gm = result.lab, result.gm
    if lab is None:
        return None
    rows: list[tuple[str, ...]] = []
    if gm is not None:
        shares = f"generic, groups by share: first {HEAD_SHARE:.0%} of all images, up to {MEDIUM_SHARE:.0%}, the rest"
        rows.append((shares, *(percent(v) for v in (gm.accuracy, gm.head, gm.medium, gm.tail))))
    counts = f"generic, groups by count: above {HEAD_ABOVE} images, between, below {TAIL_BELOW}"
    rows += [
        (name, *(percent(getattr(figures, heading)) for heading in HEADINGS))
        for name, figures in (
            (counts, lab.generic_by_counts),
            ("personal, mean over clients, each client's own groups by share", lab.personal_groups),
        )
        if figures is not None
    ]
    if not rows:
        return None
    return titled(
        "groups",
        "Head, medium and tail",
        "Accuracy by group of classes, by the paper's rule and by the usual one",
        element("p", "A group without an image shows “-”; clients without the group are left out of its mean."),
        table_block(Table(headings=("model and groups", *HEADINGS), rows=tuple(rows))),
        element("p", " ".join(calibration(lab)), class_="soft"),
    )


def calibration(lab: LabFigures) -> list[str]:
    """Return what calibration was measured, in words."""
    told = []
    if lab.calibration_error is not None:
        told.append(
            "Expected calibration error (mean gap between a model's confidence and how often it is right):"
            f" {percent(lab.calibration_error)} of the generic model on the balanced images"
        )
        if lab.personal_calibration_error is not None:
            told[-1] += f", {percent(lab.personal_calibration_error)} of the personal models on the local ones"
        told[-1] += "."
    if lab.macro_f1 is not None:
        told.append(f"Macro-F1 of the generic model: {percent(lab.macro_f1)}.")
    return told
