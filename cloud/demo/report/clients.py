"""Picture: every client's three models on its own held-out images, sorted by what the personal one gains."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from xml.etree.ElementTree import Element

from cloud.demo.comparison import BASELINE_NAMES, MODELS, TIE, Contest, ModelName, contest, difference
from cloud.report.figure import Figure
from cloud.report.marks import bar, canvas, diamond, dot, group, label, rule
from cloud.report.markup import shortened, text_width
from cloud.report.scale import Axis
from cloud.result import ClientResult, Means, Result
from cloud.words import count, gain, listing, percent

TOP = 30.0
"""Pixels above the first row, for the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the picture: a client, or the mean of all."""

    name: str
    figures: ClientResult | Means
    emphasis: bool = False


def clients_figure(result: Result) -> Figure | None:
    """Return the comparison, or None where no client measured anything."""
    measured = [c for c in result.pm.per_client if any(getattr(c, name) is not None for name in MODELS)]
    if not measured:
        return None
    baseline: ModelName = "alone" if contest(measured, "alone").size else "generic"
    ordered = sorted(measured, key=lambda c: (-(difference(c, baseline) or 0), c.client))
    rows = [Row(name="mean", figures=result.pm.means, emphasis=True)]
    rows += [Row(name=client.client, figures=client) for client in ordered]
    words = caption(measured)
    return Figure(
        name="clients",
        kicker="What each client gains",
        heading=heading(measured),
        caption=words,
        legend=tuple(
            (f"shape-{name} {name}", name) for name in MODELS if any(getattr(c, name) is not None for c in measured)
        ),
        draw=lambda width: draw(rows, baseline, width, "Dot plot of accuracy per client. " + words),
        table=None,
    )


def heading(clients: Sequence[ClientResult]) -> str:
    """Say on how many clients the personal model wins, against every baseline: one alone would flatter."""
    wins = [
        f"{name} on {len(fight.wins)} of {count(fight.size, 'client')}"
        for baseline, name in BASELINE_NAMES.items()
        if (fight := contest(clients, baseline)).size
    ]
    return f"The personal model beats {listing(wins)}" if wins else "Each client on its own images"


def caption(clients: Sequence[ClientResult]) -> str:
    """Return wins, ties and every loss against each baseline, and how coarse the smallest held-out set is."""
    sentences = [
        against(name, fight) for baseline, name in BASELINE_NAMES.items() if (fight := contest(clients, baseline)).size
    ]
    smallest = min(clients, key=lambda c: (c.num_images, c.client))
    if smallest.num_images:
        step = 100 / smallest.num_images
        sentences.append(
            f"Read small differences with care: {smallest.client} has {count(smallest.num_images, 'held-out image')},"
            f" so a single image moves it by {step:.1f} points."
        )
    return " ".join(sentences)


def against(baseline: str, fight: Contest) -> str:
    """Return one sentence, with the largest gain and every loss told by name."""
    outcomes = [f"wins on {len(fight.wins)} of {count(fight.size, 'client')}"]
    if fight.ties:
        outcomes.append(f"ties on {len(fight.ties)}")
    losers = f" ({listing(fight.losses[::-1])}; worst {gain(fight.gains[-1][0])} points)" if fight.losses else ""
    outcomes.append(f"loses on {len(fight.losses) or 'none'}{losers}")
    best, client = fight.gains[0]
    largest = f" Largest gain: {gain(best)} points for {client}." if best > TIE else ""
    return f"Against {baseline} the personal model {listing(outcomes)}.{largest}"


def draw(rows: Sequence[Row], baseline: ModelName, width: int, alt: str) -> Element:
    """Draw one row per client, names on the left and the gain on the right."""
    row_height = min(34.0, max(13.0, 900 / len(rows)))
    font = _font(row_height)
    names = min(0.3 * width, max(text_width(row.name, font) for row in rows) + 16)
    values = [v for row in rows for name in MODELS if (v := getattr(row.figures, name)) is not None]
    low = min(0.9, floor(min(values) * 10) / 10)
    x = Axis(low, 1.0, names + 10, width - 80)
    bottom = TOP + row_height * len(rows)
    steps = range(round(low * 10), 11, 1 if (x.end - x.start) / (11 - low * 10) > 40 else 2)
    grid = [rule(x(step / 10), TOP - 6, x(step / 10), bottom, "grid") for step in steps]
    grid += [label(x(step / 10), TOP - 12, f"{10 * step}%", "middle") for step in steps]
    grid.append(label(width - 4, TOP - 12, "gain", "end soft"))
    lines = [_row(row, baseline, x, TOP + row_height * (at + 0.5), row_height) for at, row in enumerate(rows)]
    return canvas(width, bottom + 6, alt, *grid, *lines)


def _font(row_height: float) -> float:
    return min(13.0, row_height - 2)


def _row(row: Row, baseline: ModelName, x: Axis, y: float, height: float) -> Element:
    font, names = _font(height), x.start - 10
    radius = min(7.0, max(3.5, 0.26 * height))
    change = difference(row.figures, baseline)
    sense = "" if change is None or abs(change) <= TIE else "better" if change > 0 else "worse"
    strong = "strong" if row.emphasis else ""
    values = {name: value for name in MODELS if (value := getattr(row.figures, name)) is not None}
    marks: list[Element] = []
    if baseline in values and "personal" in values:
        left, right = sorted((x(values[baseline]), x(values["personal"])))
        marks.append(bar(left, y - radius / 2.5, right - left, radius / 1.25, f"wash {sense or 'even'}"))
    # The ring is the largest and the diamond the smallest: where models tie, each stays visible.
    if "alone" in values:
        marks.append(dot(x(values["alone"]), y, radius + 1, "stroke open alone"))
    if "personal" in values:
        marks.append(dot(x(values["personal"]), y, radius, "mark personal"))
    if "generic" in values:
        marks.append(diamond(x(values["generic"]), y, 0.9 * radius, "mark generic outlined"))
    tip = f"{row.name}: " + ", ".join(f"{name} {percent(value)}" for name, value in values.items())
    background = bar(0, y - height / 2, x.end + 80, height, "row emphasis" if row.emphasis else "row", radius=4)
    name = label(names, y + font / 3, shortened(row.name, names - 8, font), f"end {strong}", size=font)
    number = label(x.end + 76, y + font / 3, gain(change), f"end strong ink {sense}", size=font)
    return group("line-of-row", background, name, *marks, number, tip=tip)
