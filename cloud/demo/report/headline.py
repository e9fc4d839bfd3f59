"""The first screen: the outcome in one sentence, the three models as bars, and the figures as cards."""

from xml.etree.ElementTree import Element

from cloud.demo.comparison import BASELINE_NAMES, MODELS, difference
from cloud.report.cards import cards_list
from cloud.report.markup import element
from cloud.result import Result
from cloud.words import count, duration, gain, percent, size

MEANINGS = {
    "alone": "trained on the client alone",
    "generic": "one model for everyone",
    "personal": "the client's own model",
}


def headline(result: Result) -> Element:
    """Return title, outcome, bars and cards."""
    return element(
        "header",
        element("p", "FedLoGe federation report", class_="kicker"),
        element("h1", title(result)),
        element("p", setting(result), class_="lead"),
        _bars(result),
        cards_list(cards(result)),
    )


def title(result: Result) -> str:
    """Return the outcome; where personal models lose, it says so."""
    means = result.pm.means
    if means.personal is None:
        if result.gm is None:
            return "A federation that measured no accuracy"
        return f"The generic model is right on {percent(result.gm.accuracy)} of the test images"
    text = f"Personal models are right {percent(means.personal)} of the time"
    over = [
        f"{abs(100 * change):.1f} points {'above' if change >= 0 else 'below'} {name}"
        for model, name in BASELINE_NAMES.items()
        if (change := difference(means, model)) is not None
    ]
    return f"{text}: {', '.join(over)}" if over else text


def setting(result: Result) -> str:
    """Return what was run, in one sentence."""
    rounds = max((figures.round for figures in result.rounds), default=0)
    clients = count(len(result.pm.per_client), "client")
    data = result.config.get("data")
    images = f" on {data}" if data else ""
    num_classes = len(result.gm.per_class) if result.gm else 0
    classes = f", {count(num_classes, 'class', 'classes')}" if num_classes else ""
    text = f"{clients} learned together{images}{classes}, in {count(rounds, 'round')} and {duration(result.seconds)}."
    measured = any(getattr(result.pm.means, name) is not None for name in MODELS)
    return f"{text} Means over clients, each on its own held-out images:" if measured else text


def _bars(result: Result) -> Element | None:
    rows = []
    for name in MODELS:
        value = getattr(result.pm.means, name)
        if value is None:
            continue
        fill = element("span", class_=f"fill {name}", style=f"width:{100 * value:.1f}%")
        rows.append(
            element(
                "div",
                element("dt", element("b", name), " ", element("span", MEANINGS[name])),
                element("dd", element("span", fill, class_="track"), element("b", percent(value))),
            )
        )
    return element("dl", *rows, class_="bars") if rows else None


def cards(result: Result) -> list[tuple[str, str, str]]:
    """Return (figure, what it is, what stands behind it), most important first."""
    pm, gm = result.pm, result.gm
    found: list[tuple[str, str, str]] = []
    if pm.mean is not None:
        spread = f"± {100 * (pm.std or 0):.1f} between clients; worst tenth {percent(pm.worst_decile)}"
        found.append((percent(pm.mean), "personal models (PM), mean", spread))
    for model in ("alone", "generic"):
        change = difference(pm.means, model)
        if change is not None:
            found.append((gain(change), f"points over {model}", f"mean over {count(len(pm.per_client), 'client')}"))
    if gm is not None:
        groups = [f"{name} {percent(v)}" for name in ("head", "medium", "tail") if (v := getattr(gm, name)) is not None]
        found.append((percent(gm.accuracy), "generic model (GM)", ", ".join(groups) or "on balanced test images"))
    if result.models:
        verified = sum(1 for model in result.models if model.parity is not None and model.parity.holds)
        found.append(
            (f"{verified} of {len(result.models)}", "ONNX models verified", "ONNX Runtime agrees with PyTorch")
        )
    traffic = f"{size(result.bytes_up)} up, {size(result.bytes_down)} down"
    found.append((size(result.bytes_up + result.bytes_down), "over MQTT", traffic))
    return found
