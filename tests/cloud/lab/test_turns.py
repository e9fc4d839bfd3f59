"""Turns: whoever waits lets the others work, and a deadline passes only when nobody can."""

from dataclasses import dataclass, field

from cloud.lab.turns import CoordinatorTransport, LabClock, Table
from shared.memory import MemoryBroker, MemoryTransport


@dataclass
class Scripted:
    """A player that publishes so many messages, one a step, then has nothing to do; it may say goodbye."""

    transport: MemoryTransport
    messages: int
    leaves: bool = False
    timeouts: list[float] = field(default_factory=list)

    def step(self, timeout_seconds: float) -> object | None:
        self.timeouts.append(timeout_seconds)
        if self.messages:
            self.messages -= 1
            self.transport.publish("to/coordinator", b"%d" % self.messages, qos=1)
            return None
        return "goodbye" if self.leaves else None


def table_of(*counts: int, leaves: bool = False) -> tuple[CoordinatorTransport, Table, LabClock]:
    broker, clock = MemoryBroker(), LabClock()
    players = [Scripted(broker.connect(filters=["to/agent"]), count, leaves) for count in counts]
    table = Table(broker, list(players))
    transport = CoordinatorTransport(broker, ["to/coordinator"], table, clock)
    broker.attach(transport)
    return transport, table, clock


def test_time_stands_still_while_anybody_works() -> None:
    transport, _, clock = table_of(2, 0, 1)
    heard = []
    for _ in range(3):
        message = transport.receive(3600.0)
        assert message is not None
        heard.append(message.payload)
        assert clock() == 0.0
    assert heard == [b"1", b"0", b"0"], "each player finishes its turn before the next one's"


def test_a_wait_passes_in_full_once_nobody_has_anything_to_do() -> None:
    transport, _, clock = table_of(1, 0)
    assert transport.receive(5.0) is not None
    assert transport.receive(5.0) is None
    assert clock() == 5.0
    assert transport.receive(0.25) is None
    assert clock() == 5.25


def test_players_are_never_waited_for_and_leave_the_table_when_they_are_done() -> None:
    transport, table, _ = table_of(1, 0, leaves=True)
    players = [player for player in table.players if isinstance(player, Scripted)]
    assert transport.receive(1.0) is not None
    assert transport.receive(1.0) is None
    assert table.players == []
    assert {seconds for player in players for seconds in player.timeouts} == {0.0}
