"""Coordinator and agents in one thread: whoever waits lets the others work, and time passes only when nobody can."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.memory import MemoryBroker, MemoryTransport
from shared.transport import Message


@dataclass(slots=True)
class LabClock:
    """Seconds that pass only while everybody waits: a slow step misses no deadline, and a run repeats exactly.

    Attributes:
        now: Seconds since the run began.
    """

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Player(Protocol):
    """An agent, as far as turns are concerned."""

    def step(self, timeout_seconds: float) -> object | None:
        """Handle one event if there is one; return something once the agent is done for good."""
        ...


@dataclass(slots=True)
class Table:
    """The agents, each given a turn in the order of their names while the coordinator waits.

    Attributes:
        broker: Whose count of messages tells whether a turn did anything.
        players: Those that still serve.
    """

    broker: MemoryBroker
    players: list[Player] = field(default_factory=list)

    def go_round(self) -> bool:
        """Let every agent handle what waits for it; return whether anything happened."""
        before = self.broker.passed
        for player in list(self.players):
            while True:
                passed = self.broker.passed
                if player.step(0.0) is not None:
                    self.players.remove(player)
                    break
                if self.broker.passed == passed:
                    break
        return self.broker.passed != before


class CoordinatorTransport(MemoryTransport):
    """The coordinator's end: while no message waits, the agents have their turns.

    Args:
        broker: The run's.
        filters: Topic filters.
        table: The agents.
        clock: Moves on by the time waited where nobody had anything to do.
    """

    def __init__(self, broker: MemoryBroker, filters: Sequence[str], table: Table, clock: LabClock) -> None:
        super().__init__(broker, filters, None)
        self._table = table
        self._clock = clock

    def receive(self, timeout_seconds: float) -> Message | None:
        """Return the next message; None after the timeout has passed on the lab's clock."""
        message = super().receive(0.0)
        while message is None:
            if not self._table.go_round():
                self._clock.now += timeout_seconds
                return None
            message = super().receive(0.0)
        return message
