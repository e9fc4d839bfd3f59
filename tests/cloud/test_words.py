"""Numbers and comparisons in words."""

import pytest

from cloud.demo.comparison import best_models, contest, difference
from cloud.result import ClientResult
from cloud.words import count, duration, gain, listing, percent, size


def test_numbers_are_written_with_their_unit_and_sign() -> None:
    assert [percent(0.9124), percent(0.3333), percent(0.0), percent(None)] == ["91.2%", "33.3%", "0.0%", "-"]
    assert [gain(0.0631), gain(-0.02), gain(None)] == ["+6.3", "-2.0", "-"]
    assert count(1, "client") == "1 client"
    assert count(3, "class", "classes") == "3 classes"
    assert [listing([]), listing(["a"]), listing(["a", "b"]), listing(list("abcde"))] == [
        "",
        "a",
        "a and b",
        "a, b, c and 2 more",
    ]


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (200 * 1024, "200 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (3 * 2**40, "3072 GiB"),
    ],
)
def test_sizes_have_binary_units(num_bytes: int, text: str) -> None:
    assert size(num_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (59.7, "1 min 0 s"), (133, "2 min 13 s"), (7260, "2 h 1 min")],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_best_model_needs_a_rival_and_a_tie_has_two() -> None:
    assert best_models(ClientResult(client="a", num_images=1, personal=0.5)) == frozenset()
    tie = ClientResult(client="a", num_images=3, alone=0.2, generic=0.5, personal=0.5)
    assert best_models(tie) == {"generic", "personal"}
    assert difference(tie, "alone") == pytest.approx(0.3)


def test_a_contest_counts_wins_ties_and_losses_of_those_that_measured_both() -> None:
    clients = [
        ClientResult(client="win", num_images=3, alone=0.1, personal=0.2),
        ClientResult(client="tie", num_images=3, alone=0.1 + 0.2, personal=0.3),
        ClientResult(client="loss", num_images=3, alone=0.5, personal=0.2),
        ClientResult(client="silent", num_images=3, personal=0.2),
    ]
    fight = contest(clients, "alone")
    assert (fight.wins, fight.ties, fight.losses, fight.size) == (("win",), ("tie",), ("loss",), 3)
