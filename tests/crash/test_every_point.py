"""Death at every crash point: the federation ends as if nobody had died."""

import itertools
import random
from pathlib import Path

import pytest

from shared.crash_points import PLACES
from tests.crash.mortal import Mortal
from tests.crash.outcome import Outcome, outcome_of
from tests.crash.power import Disk
from tests.crash.undisturbed import SIDES, Undisturbed, points_of_an_undisturbed_run

COMBINATIONS = 50

PARTS = ["-".join(part) for part in itertools.product(["starting", "ending"], SIDES, ["before", "after"])]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return points_of_an_undisturbed_run(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def outcomes() -> dict[int, Outcome]:
    """What undisturbed federations leave, by their number of rounds; kept, since the long one takes a while."""
    return {}


def expected(outcomes: dict[int, Outcome], folder: Path, rounds: int) -> Outcome:
    """Run it undisturbed, once."""
    if rounds not in outcomes:
        with Mortal(folder / "expected", rounds=rounds) as federation:
            federation.run()
            outcomes[rounds] = outcome_of(federation)
    return outcomes[rounds]


def test_there_are_enough_points_and_every_place_is_passed(undisturbed: Undisturbed) -> None:
    points = [*undisturbed.starting, *undisturbed.training, *undisturbed.ending]
    assert {point.place for point in points} == set(PLACES)
    for side in SIDES:
        assert len([point for point in points if point.who == side]) >= 35, sorted(map(str, points))


def test_death_at_each_point_of_a_round(tmp_path: Path, undisturbed: Undisturbed, outcomes: dict[int, Outcome]) -> None:
    points = undisturbed.training
    with Mortal(tmp_path, rounds=ROUNDS, deaths=[{point} for point in points]) as federation:
        federation.run()
        assert federation.happened == points
        assert outcome_of(federation) == expected(outcomes, tmp_path, ROUNDS)


@pytest.mark.parametrize("part", range(8), ids=PARTS)
def test_death_at_each_point_before_and_after_the_rounds(
    tmp_path: Path, undisturbed: Undisturbed, outcomes: dict[int, Outcome], part: int
) -> None:
    points = undisturbed.halves()[part]
    with Mortal(tmp_path, rounds=2, deaths=[{point} for point in points], settle=False) as federation:
        federation.run()
        assert federation.happened == points
        assert outcome_of(federation) == expected(outcomes, tmp_path, 2)


def test_random_combinations_of_deaths_each_a_power_cut(
    tmp_path: Path, undisturbed: Undisturbed, outcomes: dict[int, Outcome]
) -> None:
    draws = random.Random(7)
    combinations = [set(draws.sample(undisturbed.training, draws.choice((2, 3)))) for _ in range(COMBINATIONS)]
    with Disk() as disk, Mortal(tmp_path, rounds=ROUNDS, deaths=combinations, after_death=disk.cut) as federation:
        federation.run()
        assert len(federation.happened) == sum(map(len, combinations))
        assert outcome_of(federation) == expected(outcomes, tmp_path, ROUNDS)


def test_the_broker_killed_wherever_a_transfer_is_under_way(
    tmp_path: Path, undisturbed: Undisturbed, outcomes: dict[int, Outcome]
) -> None:
    points = [point for point in undisturbed.training if point.place.startswith(("chunk", "message"))]
    assert len(points) >= 15
    with Mortal(tmp_path, rounds=ROUNDS, deaths=[{point} for point in points], outages=True) as federation:
        federation.run()
        assert federation.happened == points
        assert outcome_of(federation) == expected(outcomes, tmp_path, ROUNDS)


ROUNDS = 80
"""Enough for one disturbance a round; all federations as long end with the same bytes."""
