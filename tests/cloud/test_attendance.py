from pathlib import Path

import pytest

from cloud.attendance import Attendance
from cloud.progress import Progress
from cloud.store.rows import RoundResult
from cloud.store.sql import SqlRoundStore, open_store
from shared.blobs import BlobStore
from shared.exchange import Exchange
from shared.memory import MemoryBroker, MemoryTransport
from shared.messages import Command, Presence, Welcome, decode_message
from shared.settings import SharedSettings
from shared.topics import agent_filters, coordinator_filters

SETTINGS = SharedSettings(federation="tiny", class_names=("a", "b"))


@pytest.fixture
def store(tmp_path: Path) -> SqlRoundStore:
    opened = open_store(f"sqlite:///{tmp_path / 'federation.sqlite'}")
    initial = RoundResult(round_number=0, blob="0" * 64, reason="initial")
    opened.start(name="tiny", settings_json=b"{}", etf_blob="e" * 64, initial=initial)
    return opened


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def agent(broker: MemoryBroker) -> MemoryTransport:
    return broker.connect(filters=agent_filters("tiny", "ana"))


@pytest.fixture
def attendance(tmp_path: Path, store: SqlRoundStore, broker: MemoryBroker) -> Attendance:
    blobs = BlobStore(tmp_path / "blobs")
    transport = broker.connect(filters=coordinator_filters("tiny"))
    return Attendance(
        store=store,
        exchange=Exchange(transport, federation="tiny", outgoing="down", blobs=blobs),
        progress=Progress(3),
        settings=SETTINGS,
        etf_blob=blobs.put(b"the frozen classifier"),
    )


def presence(state: str, session: str = "first") -> Presence:
    return Presence(client="ana", state=state, session=session)  # type: ignore[arg-type]


def known(store: SqlRoundStore) -> dict[str, bool]:
    return {row.client: row.online for row in store.clients()}


def test_a_hello_is_answered_but_only_a_ready_client_is_waited_for(
    attendance: Attendance, agent: MemoryTransport, store: SqlRoundStore
) -> None:
    attendance.seen(presence("online"), "ana")
    message = agent.receive(1.0)
    assert message is not None
    assert decode_message(message.payload, Command).settings == SETTINGS  # type: ignore[arg-type]
    assert isinstance(decode_message(message.payload, Command), Welcome)  # type: ignore[arg-type]
    assert known(store) == {}
    assert attendance.due(0.0, after_seconds=10.0) == []

    attendance.seen(presence("ready"), "ana")
    assert known(store) == {"ana": True}
    assert attendance.due(0.0, after_seconds=10.0) == ["ana"]


def test_a_client_whose_images_do_not_fit_says_hello_and_goes_unrecorded(
    attendance: Attendance, store: SqlRoundStore
) -> None:
    for state in ("online", "offline"):
        attendance.seen(presence(state), "ana")
    assert known(store) == {}
    assert len(attendance) == 0


def test_only_a_new_process_is_asked_again(attendance: Attendance, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(attendance.exchange, "returned", asked.append)
    for session in ("first", "first", "second", "second"):
        attendance.seen(presence("ready", session), "ana")
    assert asked == ["ana", "ana"]


def test_the_last_will_of_an_earlier_life_takes_nobody_offline(attendance: Attendance, store: SqlRoundStore) -> None:
    attendance.seen(presence("ready", "first"), "ana")
    attendance.seen(presence("ready", "second"), "ana")
    attendance.seen(presence("offline", "first"), "ana")
    assert known(store) == {"ana": True}
    attendance.seen(presence("offline", "second"), "ana")
    assert known(store) == {"ana": False}
    assert len(attendance) == 0


def test_nobody_speaks_for_another(attendance: Attendance, store: SqlRoundStore) -> None:
    attendance.seen(presence("ready"), "ben")
    assert known(store) == {}


def test_who_was_addressed_is_due_again_after_a_while_or_when_there_is_news(attendance: Attendance) -> None:
    attendance.seen(presence("ready"), "ana")
    assert attendance.due(100.0, after_seconds=10.0) == ["ana"]
    assert attendance.due(109.0, after_seconds=10.0) == []
    assert attendance.due(110.0, after_seconds=10.0) == ["ana"]
    attendance.forget_addressed()
    assert attendance.due(110.0, after_seconds=10.0) == ["ana"]
