"""Picture and table: every rule for personal models, in the paper's protocol and where clients meet new classes."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.lab.figures import LabFigures, PersonalRuleFigures
from cloud.lab.report.in_use import rules_of
from cloud.lab.report.rule_words import glossary, personal_rule
from cloud.report.figure import Cell, Figure, Table, figure_section
from cloud.report.marks import bar, canvas, diamond, dot, group, label, rule
from cloud.report.markup import element, text_width
from cloud.report.scale import NARROW, Axis, span_ticks, widened
from cloud.result import Result
from cloud.words import count, gain, percent

TOP = 30.0

ROW_PIXELS = 26.0


def personal_rules_section(result: Result) -> Element | None:
    """Return the section, or None where no rule was measured."""
    lab = result.lab
    if lab is None or not lab.personal_rules:
        return None
    figure = personal_rules_figure(lab)
    return figure_section(figure, glossary([personal_rule(r.rule, r.mask) for r in lab.personal_rules]))


def personal_rules_figure(lab: LabFigures) -> Figure:
    """Return the figure of all rules, in the recipe's order."""
    rules = lab.personal_rules
    words = caption(lab)
    used = rules_of(lab)
    rows = tuple(
        (
            personal_rule(r.rule, r.mask) + (" (in use)" if used.personal(r) else ""),
            f"{r.rule}, mask {r.mask}",
            _marked(r.paper, [other.paper for other in rules]),
            _marked(r.new_classes, [other.new_classes for other in rules]),
            gain(r.new_classes - r.paper),
        )
        for r in rules
    )
    return Figure(
        name="personal-rules",
        kicker="Every rule for personal models",
        heading=heading(rules),
        caption=words,
        legend=(
            ("shape-personal personal", "paper's protocol: local images of the client's own classes"),
            ("shape-generic generic", "with new classes: part of the images are of classes the client never had"),
        ),
        draw=lambda width: draw(lab, width, "Dot plot of accuracy per rule. " + words),
        table=Table(headings=("rule", "setting", "paper", "new classes", "cost in points"), rows=rows, num_texts=2),
        shows_table=True,
    )


def _marked(value: float, values: Sequence[float]) -> Cell:
    """Return an accuracy, marked where it is the best of a column whose values differ."""
    best = value == max(values) > min(values)
    return element("mark", percent(value), class_="personal") if best else percent(value)


def heading(rules: Sequence[PersonalRuleFigures]) -> str:
    """Say what masked rules and the others lose where clients meet new classes."""
    told = []
    for name, chosen in (
        ("without a mask", [r for r in rules if r.mask == "none"]),
        ("with one", [r for r in rules if r.mask != "none"]),
    ):
        if chosen:
            cost = sum(r.paper - r.new_classes for r in chosen) / len(chosen)
            told.append(f"{100 * cost:.1f} points {name}")
    return f"What new classes cost on average: {', '.join(told)}"


def caption(lab: LabFigures) -> str:
    """Return which rule is in use and how it fares, and whom the new-class protocol asks nothing new."""
    rules, used = lab.personal_rules, rules_of(lab)
    sentences = ["Means over clients; the best of each column is marked."]
    current = next((r for r in rules if used.personal(r)), None)
    if current is not None:
        sentences.append(
            f"In use: {personal_rule(current.rule, current.mask)}, {percent(current.paper)} in the paper's protocol and"
            f" {percent(current.new_classes)} with new classes."
        )
    part = "test" if lab.setting.measured_on == "test" else "validation"
    if part == "test":
        sentences.append("These are test images: nothing was chosen by them, and nothing should be.")
    if any(r.mask != "none" for r in rules):
        sentences.append("A masked rule never answers a class its client has not trained on: there it is always wrong.")
    if lab.without_new_classes:
        sentences.append(
            f"{count(len(lab.without_new_classes), 'client')} of {lab.setting.clients} trained on every class and"
            f" cannot meet a new one: the same images count in both protocols."
        )
    return " ".join(sentences)


def draw(lab: LabFigures, width: int, alt: str) -> Element:
    """Draw one row a rule: both protocols on one axis, what new classes cost on the right."""
    rules, used = lab.personal_rules, rules_of(lab)
    names = [personal_rule(r.rule, r.mask) for r in rules]
    font = 12.5 if width <= NARROW else 13.0
    start = min(0.42 * width, max(text_width(name, font) for name in names) + 18)
    low, high = widened([v for r in rules for v in (r.paper, r.new_classes)], 5, least=0.1)
    x = Axis(max(0.0, low), min(1.0, high), start + 8, width - 66)
    bottom = TOP + ROW_PIXELS * len(rules)
    values = span_ticks(x.low, x.high, 5 if width > NARROW else 3)
    grid = [rule(x(v), TOP - 6, x(v), bottom, "grid") for v in values]
    grid += [label(x(v), TOP - 12, f"{100 * v:.0f}%", "middle") for v in values]
    rows = []
    for at, (r, name) in enumerate(zip(rules, names, strict=True)):
        y = TOP + ROW_PIXELS * (at + 0.5)
        left, right = sorted((x(r.paper), x(r.new_classes)))
        cost = r.new_classes - r.paper
        strong = "strong" if used.personal(r) else ""
        rows.append(
            group(
                "line-of-row",
                bar(0, y - ROW_PIXELS / 2, width, ROW_PIXELS, f"row {'emphasis' if strong else ''}", radius=4),
                label(start - 6, y + 4, name, f"end {strong}", size=font),
                bar(left, y - 2.5, right - left, 5, "wash worse" if cost < 0 else "wash better"),
                dot(x(r.paper), y, 6, "mark personal"),
                diamond(x(r.new_classes), y, 5.5, "mark generic outlined"),
                label(width - 4, y + 4, gain(cost), f"end {strong}", size=font),
                tip=f"{name}: paper {percent(r.paper)}, new classes {percent(r.new_classes)}",
            )
        )
    return canvas(width, bottom + 6, alt, *grid, label(width - 4, TOP - 12, "cost", "end soft"), *rows)
