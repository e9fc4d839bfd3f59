from pathlib import Path

from cloud.traffic import EVERYBODY, RECORD_SECONDS, Ledger, Traffic
from shared.memory import MemoryBroker
from shared.topics import broadcast, coordinator_filters, coordinator_status, lane
from tests.stores import one_open, sqlite_database


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_every_byte_is_somebodys() -> None:
    broker = MemoryBroker()
    coordinator, agent = broker.connect(filters=coordinator_filters("f")), broker.connect(filters=[])
    traffic = Traffic(coordinator, "f")
    agent.publish(lane("f", "ana", "up", "c"), bytes(70))
    agent.publish(lane("f", "ana", "up", "get"), bytes(7))
    coordinator.publish(lane("f", "ben", "down", "cmd"), bytes(3))
    coordinator.publish(broadcast("f", "c"), bytes(500))
    coordinator.publish(coordinator_status("f"), bytes(11))
    assert traffic.take() == ({"ana": 77}, {"ben": 3, EVERYBODY: 511})
    assert traffic.take() == ({}, {})


def test_a_coordinator_that_dies_in_a_round_leaves_its_bytes_on_record(tmp_path: Path) -> None:
    store = sqlite_database(tmp_path).open()
    one_open(store)
    opened = store.open_round()
    assert opened is not None
    number = opened.plan.round_number
    broker, clock = MemoryBroker(), Clock()
    agent = broker.connect(filters=[])
    for _life in range(2):
        coordinator = broker.connect(filters=coordinator_filters("f"))
        ledger = Ledger(Traffic(coordinator, "f"), store, clock)
        for _ in range(5):
            agent.publish(lane("f", "ana", "up", "c"), bytes(100))
            ledger.tick(number)  # not yet: a commit for every message would be the cost of the whole round
            clock.now += RECORD_SECONDS / 4
        agent.publish(lane("f", "ana", "up", "c"), bytes(1))  # within the last second before the kill
        coordinator.close()
    opened = store.open_round()
    assert opened is not None
    assert 2 * 400 <= opened.bytes_up["ana"] <= 2 * 501
    store.close()
