"""Picture: bytes per round, up and down."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.report.figure import Figure, Table
from cloud.report.marks import canvas, column, group, label, rule
from cloud.report.scale import NARROW, Axis, byte_ticks, column_width, label_step
from cloud.result import Result, RoundFigures
from cloud.words import duration, size


def traffic_figure(result: Result) -> Figure | None:
    """Return the picture, or None where nothing was counted."""
    rounds = [figures for figures in result.rounds if figures.bytes_up or figures.bytes_down]
    if not rounds:
        return None
    words = caption(result, rounds)
    return Figure(
        name="traffic",
        kicker="What travelled",
        heading=f"{size(result.bytes_up)} up and {size(result.bytes_down)} down: shared tensors, no images",
        caption=words,
        legend=(("up", "up: from the clients"), ("down", "down: to the clients")),
        draw=lambda width: draw(rounds, width, "Bar chart of bytes per round. " + words),
        table=Table(
            headings=("round", "up", "down", "time"),
            rows=tuple((str(r.round), size(r.bytes_up), size(r.bytes_down), duration(r.seconds)) for r in rounds),
        ),
    )


def caption(result: Result, rounds: Sequence[RoundFigures]) -> str:
    """Return bytes per round and per client, and what lies outside the rounds."""
    up, down = sum(r.bytes_up for r in rounds), sum(r.bytes_down for r in rounds)
    sentences = [f"A round moves {size(up / len(rounds))} up and {size(down / len(rounds))} down on average."]
    selected, accepted = sum(r.selected for r in rounds), sum(r.accepted for r in rounds)
    if selected and accepted:
        sentences.append(f"One client receives {size(down / selected)} and sends {size(up / accepted)} per round.")
    rest = result.bytes_up + result.bytes_down - up - down
    if rest > 0:
        sentences.append(f"Joining and finishing took another {size(rest)}, both ways together.")
    return " ".join(sentences)


def draw(rounds: Sequence[RoundFigures], width: int, alt: str) -> Element:
    """Draw what goes up above the line and what comes down below it, on one scale."""
    height = 200.0 if width <= NARROW else 240.0
    most = max(max(r.bytes_up, r.bytes_down) for r in rounds)
    start, end, middle = 70.0, width - 6.0, (height - 34) / 2
    up, down = Axis(0, most, middle - 1, 10), Axis(0, most, middle + 1, height - 44)
    slot = (end - start) / len(rounds)
    grid = [rule(start, axis(v), end, axis(v), "grid") for axis in (up, down) for v in byte_ticks(most, 2)[1:]]
    grid += [label(start - 8, axis(v) + 4, size(v), "end") for axis in (up, down) for v in byte_ticks(most, 2)[1:]]
    grid += [label(start - 8, middle + 4, "0", "end"), rule(start, middle, end, middle, "base")]
    bars = [_round(figures, start + slot * at, slot, up, down) for at, figures in enumerate(rounds)]
    step = label_step(slot, 30)
    numbers = [
        label(start + slot * (at + 0.5), height - 22, str(r.round), "middle")
        for at, r in enumerate(rounds)
        if r.round % step == 0
    ]
    axis_name = label((start + end) / 2, height - 4, "round", "middle soft")
    return canvas(width, height, alt, *grid, *bars, *numbers, axis_name)


def _round(figures: RoundFigures, left: float, slot: float, up: Axis, down: Axis) -> Element:
    width = column_width(slot)
    middle = left + slot / 2
    tip = f"round {figures.round}: {size(figures.bytes_up)} up, {size(figures.bytes_down)} down"
    return group(
        "",
        column(middle, up.start, up(figures.bytes_up), width, "mark up"),
        column(middle, down.start, down(figures.bytes_down), width, "mark down"),
        tip=f"{tip}, {duration(figures.seconds)}",
    )
