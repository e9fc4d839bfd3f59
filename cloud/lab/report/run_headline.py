"""The first screen of a run: the outcome in one sentence, what was run, and the figures as cards."""

from xml.etree.ElementTree import Element

from cloud.lab.figures import LabFigures
from cloud.lab.final import NOTHING_PERSONAL
from cloud.lab.report.in_use import in_use
from cloud.report.cards import cards_list
from cloud.report.markup import element
from cloud.result import Result
from cloud.words import count, duration, gain, percent


def title(result: Result) -> str:
    """Return the outcome; where personal models lose, it says so."""
    means = result.pm.means
    if means.personal is None:
        return "A run that measured no personal model" if result.gm is None else _generic_alone(result.gm.accuracy)
    text = f"Personal models are right {percent(means.personal)} of the time"
    if means.generic is None or (result.lab is not None and result.lab.personal_note == NOTHING_PERSONAL):
        return text if result.gm is None else _generic_alone(result.gm.accuracy)
    change = means.personal - means.generic
    if abs(change) < 0.0005:
        return f"{text}, as often as the generic model"
    return f"{text}, {abs(100 * change):.1f} points {'above' if change > 0 else 'below'} the generic model"


def _generic_alone(accuracy: float) -> str:
    return f"The generic model is right on {percent(accuracy)} of the balanced images"


def headline(result: Result, lab: LabFigures) -> Element:
    """Return title, what was run, notes on what stands in for what, and cards."""
    notes = [
        f"{name}: {note}."
        for name, note in (("Generic model", lab.generic_note), ("Personal models", lab.personal_note))
        if note
    ]
    return element(
        "header",
        element("p", "FedLoGe lab run", class_="kicker"),
        element("h1", title(result)),
        element("p", setting(result, lab), class_="lead"),
        *[element("p", note, class_="note") for note in notes],
        cards_list(cards(result, lab)),
    )


def setting(result: Result, lab: LabFigures) -> str:
    """Return what was run, and what GM and PM are."""
    run = lab.setting
    part = "test images" if run.measured_on == "test" else "validation images, which no client trained on"
    classes = f" of {count(len(result.gm.per_class), 'class', 'classes')}" if result.gm else ""
    return (
        f"{run.method} ({lab.title}): {count(run.clients, 'client')} learned together on {run.data}{classes}, imbalance"
        f" factor {run.imbalance:g}, Dirichlet α {run.alpha:g}, in {count(run.rounds, 'round')} and"
        f" {duration(result.seconds)}, seed {run.seed}. Measured on {part}. GM is the accuracy of the one generic model"
        f" on balanced images; PM is the mean accuracy of the personal models, each on its own client's local images,"
        f" which follow that client's training classes."
    )


def cards(result: Result, lab: LabFigures) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what stands behind it), most important first."""
    pm, gm = result.pm, result.gm
    found: list[tuple[str, str, str]] = []
    if gm is not None:
        groups = [f"{name} {percent(v)}" for name in ("head", "medium", "tail") if (v := getattr(gm, name)) is not None]
        found.append((percent(gm.accuracy), "generic model (GM)", ", ".join(groups)))
    if pm.mean is not None:
        found.append((percent(pm.mean), "personal models (PM)", f"± {100 * (pm.std or 0):.1f} between clients"))
        found.append((percent(pm.worst_decile), "worst tenth of clients", "mean PM of those served worst"))
    if pm.mean is not None and pm.means.generic is not None:
        found.append((gain(pm.mean - pm.means.generic), "points over generic", "on the clients' own images"))
        worst = f"worst: {lab.hurt[0].client}, {gain(-lab.hurt[0].loss)} points" if lab.hurt else "none is worse off"
        found.append((f"{len(lab.hurt)} of {len(pm.per_client)}", "clients hurt", worst))
    rule = in_use(lab)
    if rule is not None:
        cost = f"{gain(rule.new_classes - rule.paper)} points where clients meet new classes"
        found.append((percent(rule.new_classes), "PM with new classes", cost))
    if lab.macro_f1 is not None:
        found.append((percent(lab.macro_f1), "macro-F1", "of the generic model, every class alike"))
    if lab.calibration_error is not None:
        personal = lab.personal_calibration_error
        behind = "generic: gap between confidence and accuracy"
        found.append(
            (
                percent(lab.calibration_error),
                "calibration error",
                behind if personal is None else f"{behind}; personal {percent(personal)}",
            )
        )
    return found
