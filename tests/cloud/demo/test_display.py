"""What a running demo shows, on a terminal and without one."""

import io

from rich.console import Console

from cloud.demo.display import LiveDisplay, PlainDisplay, open_display, seconds_left
from cloud.result import Result, RoundFigures
from tests.cloud.demo.sample_result import sample_result


def plain_console(out: io.StringIO, *, terminal: bool = False) -> Console:
    return Console(file=out, width=80, force_terminal=terminal, color_system=None)


def replay(console: Console, result: Result) -> None:
    with open_display(15, console=console, clock=lambda: 0.0) as display:
        display.stage("starting the broker")
        for figures in result.rounds:
            display.round_done(figures)
        display.closing(result)


def test_without_a_terminal_every_event_is_one_line() -> None:
    out = io.StringIO()
    result = sample_result()
    replay(plain_console(out), result)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1 + len(result.rounds) + 1
    assert "starting the broker" in lines[0]
    assert "round 7/15: 5 of 6 updates, missing client-02" in lines[8]
    assert "personal" in lines[-1]
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_the_live_table_and_anything_else_plain_lines() -> None:
    assert isinstance(open_display(3, console=plain_console(io.StringIO(), terminal=True)), LiveDisplay)
    assert isinstance(open_display(3, console=plain_console(io.StringIO())), PlainDisplay)


def test_the_live_table_shows_the_last_rounds_and_fits_80_by_24() -> None:
    out = io.StringIO()
    display = LiveDisplay(60, plain_console(out), lambda: 0.0)
    for figures in sample_result(num_rounds=60).rounds:
        display.round_done(figures)
    display.stage("training")
    plain_console(out).print(display.render())
    lines = out.getvalue().splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert "training" in lines[0]
    assert [line.split()[0] for line in lines[-12:]] == [str(number) for number in range(49, 61)]


def test_the_live_display_ends_with_the_outcome() -> None:
    out = io.StringIO()
    replay(plain_console(out, terminal=True), sample_result())
    assert "done in 1 min 37 s" in out.getvalue()


def test_brackets_in_a_name_are_text_and_no_markup() -> None:
    for terminal in (False, True):
        out = io.StringIO()
        with open_display(1, console=plain_console(out, terminal=terminal), clock=lambda: 0.0) as display:
            display.stage("reading [bold]odd[/] [/nonsense] folder")
        assert "[bold]odd[/] [/nonsense]" in out.getvalue()


def test_time_left_is_unknown_before_the_first_round_and_zero_after_the_last() -> None:
    assert seconds_left((), 3) is None
    assert seconds_left((RoundFigures(round=0, seconds=9.0),), 3) is None
    rounds = tuple(RoundFigures(round=number, seconds=2.0) for number in range(1, 4))
    assert seconds_left(rounds[:1], 3) == 4.0
    assert seconds_left(rounds, 3) == 0.0
