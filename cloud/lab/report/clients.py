"""Picture: each client's personal model against the generic one on the same images, and what each client gains."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from xml.etree.ElementTree import Element

from cloud.report.classes import class_labels, room_below
from cloud.report.figure import Figure, Table
from cloud.report.frame import lines_across, lines_upright, percents
from cloud.report.marks import canvas, column, diamond, dot, label, rule
from cloud.report.placing import Box, around, placed
from cloud.report.scale import NARROW, Axis, column_width, span_ticks, widened
from cloud.result import Result
from cloud.words import count, gain, listing, percent

EVEN = 1e-9
"""Accuracies are ratios of small integers: a smaller difference is rounding, not an image."""

MIN_NAMED_PIXELS = 12.0
"""Below this slot width, bars have no room for their clients' names."""

MAX_NAMED = 6
"""Hurt clients that are named in the plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client that measured both models."""

    name: str
    num_images: int
    num_train_images: int | None
    generic: float
    personal: float

    @property
    def gain(self) -> float:
        """Personal minus generic accuracy."""
        return self.personal - self.generic

    @property
    def sense(self) -> str:
        """Style of what the personal model does to this client."""
        return "even" if abs(self.gain) <= EVEN else "better" if self.gain > 0 else "worse"


def clients_figure(result: Result) -> Figure | None:
    """Return the comparison, or None where no client measured both models."""
    clients = [
        Client(
            name=c.client,
            num_images=c.num_images,
            num_train_images=c.num_train_images,
            generic=c.generic,
            personal=c.personal,
        )
        for c in result.pm.per_client
        if c.generic is not None and c.personal is not None
    ]
    if not clients:
        return None
    clients.sort(key=lambda client: (-client.gain, client.name))
    words = caption(clients)
    return Figure(
        name="clients",
        kicker="What each client gains",
        heading=heading(clients),
        caption=words,
        legend=(
            ("shape-personal better", "personal model better"),
            ("shape-alone even", "equal"),
            ("missing", "personal model worse: a hurt client"),
        ),
        draw=lambda width: draw(clients, width, "Scatter plot and bars of accuracy per client. " + words),
        table=Table(
            headings=("client", "training images", "local images", "generic", "personal", "gain"),
            rows=tuple(
                (
                    c.name,
                    "-" if c.num_train_images is None else str(c.num_train_images),
                    str(c.num_images),
                    percent(c.generic),
                    percent(c.personal),
                    gain(c.gain),
                )
                for c in clients
            ),
        ),
    )


def heading(clients: Sequence[Client]) -> str:
    """Say how many clients gain and how many are hurt."""
    senses = Counter(client.sense for client in clients)
    if senses["even"] == len(clients):
        return "Personal and generic models are equally often right on every client"
    gains, hurt = senses["better"], senses["worse"]
    of_all = f"{gains or 'None'} of {count(len(clients), 'client')} {'gains' if gains == 1 else 'gain'}"
    return f"{of_all} by a personal model, {hurt or 'none'} {'is' if hurt == 1 else 'are'} hurt"


def caption(clients: Sequence[Client]) -> str:
    """Return what the axes are, every loss, and how coarse the smallest test is."""
    sentences = [
        "Points: each client's two accuracies on the same local images; above the diagonal the personal one is better."
    ]
    if len({(client.generic, client.personal) for client in clients}) < len(clients):
        sentences.append("A larger mark stands for several clients with the same two accuracies.")
    sentences.append("Bars: personal minus generic, largest gain first.")
    hurt = [client for client in reversed(clients) if client.sense == "worse"]
    if hurt:
        worst = f"worst {gain(hurt[0].gain)} points"
        sentences.append(f"Hurt: {listing([client.name for client in hurt])} ({worst}).")
    even = sum(client.sense == "even" for client in clients)
    if even:
        sentences.append(f"Equal on {count(even, 'client')}.")
    smallest = min(clients, key=lambda client: (client.num_images, client.name))
    if smallest.num_images:
        sentences.append(
            f"Read small differences with care: {smallest.name} has {count(smallest.num_images, 'local image')}, so a"
            f" single image moves it by {100 / smallest.num_images:.1f} points."
        )
    return " ".join(sentences)


def draw(clients: Sequence[Client], width: int, alt: str) -> Element:
    """Draw the scatter and the gains, side by side or one above the other."""
    if width <= NARROW:
        side, left, top = width - 78.0, 52.0, width + 18.0
    else:
        side, left, top = 400.0, 540.0, 34.0
    slot = (width - 4 - left) / len(clients)
    names = [client.name for client in clients] if slot >= MIN_NAMED_PIXELS else []
    below = room_below(names, slot) if names else 8.0
    height = 200.0 if width <= NARROW else side - 24 - below
    gains = _gains(clients, Axis(0, len(clients), left, width - 4), top, height)
    return canvas(
        width,
        top + height + below if width <= NARROW else side + 60,
        alt,
        *_scatter(clients, 54, 10, side),
        *gains,
        *(class_labels(names, slot, left, top + height + 2) if names else []),
    )


def _scatter(clients: Sequence[Client], left: float, top: float, side: float) -> list[Element]:
    values = [value for client in clients for value in (client.generic, client.personal)]
    low, high = widened([max(0.0, min(values) - 0.01), max(values)], 5, least=0.1)
    low, high = max(0.0, low), min(1.0, high)
    x, y = Axis(low, high, left, left + side), Axis(low, high, top + side, top)
    steps = span_ticks(low, high, 5)
    at = Counter((c.generic, c.personal, c.sense) for c in clients)
    marks: list[Element] = []
    taken: list[Box] = []
    for (generic, personal, sense), number in at.items():
        who = [c.name for c in clients if (c.generic, c.personal) == (generic, personal)]
        tip = f"{listing(who)}: generic {percent(generic)}, personal {percent(personal)}"
        radius = 4 + 1.6 * sqrt(number)
        shape = diamond if sense == "worse" else dot
        style = "stroke open even" if sense == "even" else f"mark outlined {sense}"
        marks.append(shape(x(generic), y(personal), radius, style, tip=tip))
        taken.append(around(x(generic), y(personal), radius + 6))  # a name close to another point would seem its own
    hurt = [(x(c.generic), y(c.personal), c.name, "ink worse") for c in reversed(clients) if c.sense == "worse"]
    return [
        *lines_across(y, steps, left, left + side, percents),
        *lines_upright(x, steps, top, top + side, percents),
        rule(x(low), y(low), x(high), y(high), "mean"),
        label(left + side / 2, top + side + 40, "generic model", "middle soft"),
        label(left + 6, top + 14, "↑ personal model", "soft halo"),
        *marks,
        *placed(
            hurt[:MAX_NAMED],
            taken,
            Box(left + 2, top + 20, left + side + (50 if side >= 400 else 18), top + side - 2),
        ),
    ]


def _gains(clients: Sequence[Client], x: Axis, top: float, height: float) -> list[Element]:
    low, high = widened([0.0, *(100 * c.gain for c in clients)], 5, least=5.0)
    y = Axis(low, high, top + height, top)
    slot = x(1) - x(0)
    bars, numbers = [], []
    for at, c in enumerate(clients):
        end, middle = y(100 * c.gain), x(at + 0.5)
        tip = f"{c.name}: {_points(c)} points"
        bars.append(column(middle, y(0), end, column_width(slot), f"mark {c.sense}", tip=tip))
        if slot >= 34:
            numbers.append(label(middle, end + (14 if c.sense == "worse" else -5), _points(c), "middle halo", size=12))
    return [
        label(x.start - 30, top - 16, "gain in percentage points, a bar per client", "soft"),
        *lines_across(y, span_ticks(low, high, 5), x.start, x.end, lambda value: f"{value:+g}" if value else "0"),
        *bars,
        rule(x.start, y(0), x.end, y(0), "base"),
        *numbers,
    ]


def _points(client: Client) -> str:
    return "0" if client.sense == "even" else gain(client.gain)
