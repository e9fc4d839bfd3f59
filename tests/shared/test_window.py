import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.limits import (
    FIRST_ANSWER_SECONDS,
    FIRST_WINDOW_CHUNKS,
    GROW_BELOW_SECONDS,
    MAX_REREQUEST_SECONDS,
    MAX_WINDOW_CHUNKS,
    MIN_WINDOW_CHUNKS,
    REREQUEST_SECONDS,
)
from shared.window import Window

PLENTY = 1000


def test_it_is_refilled_when_half_of_it_has_arrived() -> None:
    window = Window(range(20), 0.0)
    assert window.due(0.0, PLENTY) == list(range(FIRST_WINDOW_CHUNKS))
    window.arrived(0, 0.1)
    assert window.due(0.1, PLENTY) == []
    window.arrived(1, 0.1)
    assert window.due(0.1, PLENTY) == [4, 5, 6, 7]  # no loss yet: one wider for each that came


def test_before_the_first_loss_it_doubles_every_round_trip_up_to_its_limit() -> None:
    window, sizes = Window(range(1000), 0.0), []
    for step in range(8):
        sizes.append(window.size)
        for index in window.due(step / 100, PLENTY):
            window.arrived(index, step / 100)
    assert sizes[:4] == [4, 8, 16, 32]
    assert sizes[-1] == MAX_WINDOW_CHUNKS


def test_after_a_loss_it_grows_by_one_for_every_clean_half_of_itself() -> None:
    window = Window(range(10_000), 0.0)
    window.due(0.0, PLENTY)
    window.due(FIRST_ANSWER_SECONDS, PLENTY)
    assert window.size == MIN_WINDOW_CHUNKS
    grown, resumed = [window.size], 10 * FIRST_ANSWER_SECONDS
    for step in range(1000):
        for index in window.due(resumed + step / 100, PLENTY):
            before = window.size
            window.arrived(index, resumed + step / 100)
            assert window.size - before in {0, 1}
        grown.append(window.size)
    assert all(after - before <= 2 for before, after in itertools.pairwise(grown))
    assert grown[-1] == MAX_WINDOW_CHUNKS


def test_it_does_not_grow_on_a_link_that_is_full() -> None:
    window = Window(range(500), 0.0)
    now = 0.0
    while window.missing:
        wanted = window.due(now, PLENTY)
        now += GROW_BELOW_SECONDS + 0.1
        for index in wanted:
            window.arrived(index, now)
    assert window.size == FIRST_WINDOW_CHUNKS


def test_losses_halve_it_and_double_the_patience_until_something_comes() -> None:
    window = Window(range(5000), 0.0)
    for step in range(100):
        for index in window.due(step / 100, PLENTY):
            window.arrived(index, step / 100)
    now, size, wait = 1.0, window.size, REREQUEST_SECONDS
    assert size > 8
    window.due(now, PLENTY)
    window.reconnected(now)  # all of the window is on its way from here
    window.due(now, PLENTY)
    for _ in range(7):
        assert window.next_wakeup == now + wait
        assert window.due(now + wait - 0.01, PLENTY) == []
        now += wait
        repeated = window.due(now, PLENTY)
        size, wait = max(size // 2, MIN_WINDOW_CHUNKS), min(2 * wait, MAX_REREQUEST_SECONDS)
        assert window.size == size
        assert len(repeated) == size
    assert wait == MAX_REREQUEST_SECONDS
    window.arrived(repeated[0], now + 0.01)
    assert len(window.due(now + 0.01, PLENTY)) == 1
    assert window.next_wakeup == now + 0.01 + MAX_REREQUEST_SECONDS  # an answer took that long, so another may
    for index in sorted(window.missing)[:60]:
        window.arrived(index, now + 0.02)
    assert window.next_wakeup < now + 0.02 + MAX_REREQUEST_SECONDS / 2


def test_the_lowest_missing_chunks_are_asked_for_first_also_after_a_loss() -> None:
    window = Window([9, 3, 5, 1, 7, 11], 0.0)
    assert window.due(0.0, PLENTY) == [1, 3, 5, 7]
    window.arrived(3, 0.0)
    assert window.due(10.0, PLENTY) == [1, 5]
    window.reconnected(10.0)
    assert window.due(10.0, PLENTY) == [1, 5]


def test_a_budget_bounds_what_is_asked_for() -> None:
    window = Window(range(20), 0.0)
    assert window.due(0.0, 1) == [0]
    assert window.due(0.0, 2) == [1, 2]


def test_patience_differs_between_pulls_by_a_quarter_at_most() -> None:
    waits = [Window(range(3), 0.0, listen=True, jitter=jitter / 10).next_wakeup for jitter in range(11)]
    assert waits == sorted(set(waits))
    assert (waits[0], waits[-1]) == (FIRST_ANSWER_SECONDS, pytest.approx(1.25 * FIRST_ANSWER_SECONDS))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 60))
def test_whatever_is_lost_every_chunk_is_asked_for_until_it_came(data: st.DataObject, count: int) -> None:
    window, now, flying = Window(range(count), 0.0, listen=data.draw(st.booleans())), 0.0, list[int]()
    for step in range(100_000):
        flying += window.due(now, PLENTY)
        assert window.outstanding <= window.size <= MAX_WINDOW_CHUNKS
        fate = data.draw(st.sampled_from(["arrive", "lost", "cut", "wait"])) if step < 60 else "arrive"
        if fate == "cut":
            window.reconnected(now)
        if flying and fate in {"arrive", "lost"}:
            index = flying.pop(0)
            if fate == "arrive" and index in window.missing:
                window.arrived(index, now)
        elif not flying:
            now = max(now, min(window.next_wakeup, now + 100))
        if not window.missing:
            break
    assert window.next_wakeup == math.inf
