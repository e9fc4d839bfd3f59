"""Progress of a running demo on stderr: a live table on a terminal, otherwise one plain line per event."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloud.demo.comparison import MODELS
from cloud.result import Result, RoundFigures
from cloud.words import count, duration, percent, size
from shared.output import console as new_console

VISIBLE_ROUNDS: Final = 12
"""Rows of the live table: with header and progress bar it fits a terminal of 24 lines."""

RECENT_ROUNDS: Final = 5
"""Rounds whose mean duration predicts the rest: enough to smooth, few enough to follow a machine that slows down."""

Clock = Callable[[], float]


class Display(Protocol):
    """What the demo tells while it runs; leaving its ``with`` block frees the terminal."""

    def __enter__(self) -> Self:
        """Start showing."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing and leave the last state on screen."""
        ...

    def stage(self, text: str) -> None:
        """Say what happens now, such as "starting the broker"."""
        ...

    def round_done(self, figures: RoundFigures) -> None:
        """Show a committed round; round 0 is the initial model."""
        ...

    def closing(self, result: Result) -> None:
        """Say in one line how it went; the table for stdout is ``closing_table``."""
        ...


def open_display(num_rounds: int, *, console: Console | None = None, clock: Clock = time.monotonic) -> Display:
    """Return the display that fits where stderr goes.

    Args:
        num_rounds: Planned rounds.
        console: Where to show; None is stderr.
        clock: Seconds, monotonic.
    """
    out = console or new_console(stderr=True)
    return LiveDisplay(num_rounds, out, clock) if out.is_terminal else PlainDisplay(num_rounds, out, clock)


def round_line(figures: RoundFigures, num_rounds: int) -> str:
    """Return one round as one line."""
    parts = [f"{figures.accepted} of {count(figures.selected, 'update')}"] if figures.selected else ["initial model"]
    if figures.missing:
        parts.append(f"missing {', '.join(figures.missing)}")
    parts += [f"GM {percent(figures.gm)}"] if figures.gm is not None else []
    parts += [f"mean PM {percent(figures.pm_mean)}"] if figures.pm_mean is not None else []
    parts += [f"{size(figures.bytes_up)} up", f"{size(figures.bytes_down)} down", duration(figures.seconds)]
    return f"round {figures.round}/{num_rounds}: {', '.join(parts)}"


def closing_line(result: Result) -> str:
    """Return the outcome as one line."""
    parts = [f"done in {duration(result.seconds)}"]
    if result.gm is not None:
        parts.append(f"GM {percent(result.gm.accuracy)} on the test images")
    means = [f"{name} {percent(value)}" for name in MODELS if (value := getattr(result.pm.means, name)) is not None]
    if means:
        parts.append(f"mean over clients {', '.join(means)}")
    return "; ".join([*parts, count(len(result.models), "ONNX file")])


class PlainDisplay:
    """One line per event, for logs and pipes."""

    def __init__(self, num_rounds: int, console: Console, clock: Clock) -> None:
        self._num_rounds = num_rounds
        self._console = console
        self._clock = clock
        self._started = clock()

    def __enter__(self) -> Self:
        """Start showing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to free."""

    def stage(self, text: str) -> None:
        """Print one line."""
        self._line(text)

    def round_done(self, figures: RoundFigures) -> None:
        """Print one line."""
        self._line(round_line(figures, self._num_rounds))

    def closing(self, result: Result) -> None:
        """Print one line."""
        self._line(closing_line(result))

    def _line(self, text: str) -> None:
        # Not through rich: a log line must neither wrap at 80 columns nor have its brackets read as markup.
        self._console.file.write(f"[{self._clock() - self._started:6.1f} s] {text}\n")
        self._console.file.flush()


class LiveDisplay:
    """A table that grows by a row per round, under a line with stage, time gone and time left."""

    def __init__(self, num_rounds: int, console: Console, clock: Clock) -> None:
        self._num_rounds = num_rounds
        self._console = console
        self._clock = clock
        self._started = clock()
        self._stage = "starting"
        self._rounds: tuple[RoundFigures, ...] = ()
        self._closing = ""
        self._live = Live(get_renderable=self.render, console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        """Start showing."""
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on screen and give the terminal back."""
        self._live.stop()

    def stage(self, text: str) -> None:
        """Show it in the first line."""
        self._stage = text

    def round_done(self, figures: RoundFigures) -> None:
        """Add a row."""
        self._rounds = (*self._rounds, figures)

    def closing(self, result: Result) -> None:
        """Replace the first line by the outcome."""
        self._closing = closing_line(result)

    def render(self) -> RenderableType:
        """Return what is shown now."""
        done = self._rounds[-1].round if self._rounds else 0
        bar = Table.grid()  # a bar of fixed width ends no line of its own
        bar.add_row(ProgressBar(total=self._num_rounds, completed=done, width=40))
        return Group(self._first_line(done), bar, rounds_table(self._rounds[-VISIBLE_ROUNDS:]))

    def _first_line(self, done: int) -> Text:
        if self._closing:
            return Text(self._closing, style="bold green")
        elapsed = duration(self._clock() - self._started)
        left = seconds_left(self._rounds, self._num_rounds)
        ending = f", about {duration(left)} of rounds left" if left else ""
        return Text.assemble(
            (self._stage, "bold"), f"  round {done}/{self._num_rounds}  ", (f"{elapsed} gone{ending}", "dim")
        )


def seconds_left(rounds: tuple[RoundFigures, ...], num_rounds: int) -> float | None:
    """Predict the time the remaining rounds take from the last few, or None before the first."""
    recent = [figures.seconds for figures in rounds if figures.round > 0][-RECENT_ROUNDS:]
    return (num_rounds - rounds[-1].round) * sum(recent) / len(recent) if recent else None


def rounds_table(rounds: tuple[RoundFigures, ...]) -> Table:
    """Return one row per round: generic model (GM), mean of the personal models (PM), what travelled and how long."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("round", justify="right")
    for heading in ("updates", "GM", "mean PM", "up", "down", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("missing", overflow="fold", style="yellow")
    for figures in rounds:
        table.add_row(
            str(figures.round),
            f"{figures.accepted}/{figures.selected}" if figures.selected else "-",
            percent(figures.gm),
            Text(percent(figures.pm_mean), style="bold"),
            size(figures.bytes_up),
            size(figures.bytes_down),
            duration(figures.seconds),
            Text(", ".join(figures.missing)),
        )
    return table
