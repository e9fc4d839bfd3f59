"""Where there is to die: the points that a run without deaths passes."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.crash.mortal import COMMITTED, Mortal
from tests.crash.points import Point

SIDES = ("coordinator", "ben")
"""The coordinator and one of the agents, which are all alike."""


@dataclass(frozen=True)
class Undisturbed:
    """The points that a run without deaths passes, in the order of their first passing.

    Attributes:
        starting: Before the first round, once.
        training: In every round.
        ending: After the last round, once.
    """

    starting: list[Point]
    training: list[Point]
    ending: list[Point]

    def halves(self) -> list[list[Point]]:
        """Return the points before and after the rounds, by phase and side, each list for a federation of its own.

        Most stand in pairs, before and after one act; after a death past the act it may not come again.
        """
        return [
            [point for point in phase if point.who == who][half::2]
            for phase in (self.starting, self.ending)
            for who in SIDES
            for half in (0, 1)
        ]


def points_of_an_undisturbed_run(folder: Path) -> Undisturbed:
    """Run a federation of three rounds and return what it passed."""
    with Mortal(folder, rounds=3) as federation:
        federation.run()
    passed = federation.passed
    first, second, last = (place for place, point in enumerate(passed) if point == COMMITTED)
    training = _in_order(passed[first:second])
    rest = [point for point in _in_order(passed) if point not in training]
    return Undisturbed(
        starting=[point for point in rest if passed.index(point) < first],
        training=training,
        ending=[point for point in rest if passed.index(point) >= last],
    )


def _in_order(points: Iterable[Point]) -> list[Point]:
    return [point for point in dict.fromkeys(points) if point.who in SIDES]
