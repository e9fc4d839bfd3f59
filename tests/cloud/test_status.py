"""What the operator is shown, as values and as text."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from cloud import status
from cloud.reasons import missing_piece
from cloud.sheet import Sheet, printable
from cloud.store.contract import RoundStore
from cloud.store.rows import Participant, UpdateRecord
from cloud.tables_text import agents_table, clock, round_table, rounds_table, status_table
from shared.errors import StoreError
from tests.stores import Database, accepted, one_committed, plan, report, sqlite_database, started

UNTOLD = missing_piece(Participant(client="carla", state="missing"), online=None)[1]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RoundStore]:
    """A federation amid round 2; ben was late in round 1, carla's update of round 2 was refused."""
    database: Database = sqlite_database(tmp_path)
    store = database.open()
    one_committed(store)
    store.record_update(1, UpdateRecord(client="ben", state="late", reason="late: the round was closed"))
    store.set_state("training", "round 2: waits for updates")
    store.client_seen("anna", online=False)
    store.begin(plan(2))
    store.record_update(2, UpdateRecord(client="carla", state="rejected", reason="not-finite: psi holds NaN"))
    store.record_refusal("zoe", round_number=7, reason="not-selected: zoe")
    store.record_report(report("anna"))
    store.record_artifact(kind="generic-onnx", path="/runs/generic.onnx", digest="1" * 64, round_number=1)
    yield store
    store.close()


def drawn(renderable: RenderableType, *, terminal: bool, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, force_terminal=terminal, color_system=None, width=width, soft_wrap=not terminal).print(
        renderable
    )
    return file.getvalue()


def test_status_says_what_happens_and_who_is_waited_for(store: RoundStore) -> None:
    data = status.status(store, running=True)
    assert data["federation"] == "lab"
    assert (data["state"], data["waiting_for"]) == ("training", "round 2: waits for updates")
    assert (data["rounds_committed"], data["rounds_planned"]) == (1, 5)
    assert (data["clients_known"], data["clients_online"], data["reports"]) == (3, 2, 1)
    assert (data["bytes_up"], data["bytes_down"]) == (300, 600)
    assert data["evaluation"] == {"round": 1, "accuracy": 0.5, "groups": {"head": 0.9, "tail": None}}
    assert data["open_round"]["waiting_for"] == ["anna", "ben"]
    assert (data["open_round"]["round"], data["open_round"]["selected"], data["open_round"]["answered"]) == (2, 3, 1)
    assert data["models"] == [{"kind": "generic-onnx", "path": "/runs/generic.onnx", "digest": "1" * 64, "round": 1}]
    assert data["coordinator_running"] is True


def test_status_before_the_first_round(tmp_path: Path) -> None:
    store = sqlite_database(tmp_path).open()
    started(store)
    data = status.status(store)
    assert (data["rounds_committed"], data["open_round"], data["coordinator_running"]) == (0, None, None)
    assert "0 of 5" in drawn(status_table(data), terminal=False)
    assert "coordinator" not in drawn(status_table(data), terminal=False)
    store.close()


def test_who_is_online_is_old_news_when_no_coordinator_runs(store: RoundStore) -> None:
    assert "clients last online" in drawn(status_table(status.status(store, running=False)), terminal=False)
    assert "clients online" in drawn(status_table(status.status(store, running=True)), terminal=False)


def test_a_group_without_images_is_not_shown(store: RoundStore) -> None:
    text = drawn(status_table(status.status(store)), terminal=False)
    assert "head 90.0%" in text
    assert "tail" not in text


def test_a_database_without_a_federation_is_no_status(tmp_path: Path) -> None:
    store = sqlite_database(tmp_path).open()
    for ask in (status.status, status.rounds, status.agents, lambda store: status.round_detail(store, 1)):
        with pytest.raises(StoreError, match="no federation yet"):
            ask(store)
    store.close()


def test_rounds_count_every_fate_and_list_what_fitted_none(store: RoundStore) -> None:
    data = status.rounds(store)
    first, second = data["rounds"]
    fates = ("waiting", "accepted", "rejected", "failed", "missing", "late")
    assert [first[fate] for fate in fates] == [0, 1, 0, 0, 1, 1]
    assert [second[fate] for fate in fates] == [2, 0, 1, 0, 0, 0]
    assert (first["accuracy"], first["bytes_up"], first["seconds"], first["close_reason"]) == (
        0.5,
        300,
        1.5,
        "deadline",
    )
    assert (second["accuracy"], second["bytes_up"], second["seconds"], second["close_reason"]) == (None, 0, None, None)
    assert data["refusals"] == [{"client": "zoe", "round": 7, "reason": "not-selected: zoe"}]


def test_a_round_tells_every_clients_fate_with_its_reason_and_bytes(store: RoundStore) -> None:
    detail = status.round_detail(store, 1)
    assert detail is not None
    fates = {
        part["client"]: (part["state"], part["reason"], part["bytes_up"], part["bytes_down"])
        for part in detail["clients"]
    }
    assert fates == {
        "anna": ("accepted", "", 100, 200),
        "ben": ("late", "late: the round was closed", 100, 200),
        "carla": ("missing", f"untold: {UNTOLD}; the round closed: {status.CLOSED['deadline']}", 100, 200),
    }
    assert detail["clients"][0]["num_examples"] == accepted("anna").num_examples
    assert detail["evaluation"]["per_class"] == [1.0, None, 0.25]
    assert status.round_detail(store, 3) is None


def test_agents_tell_what_each_contributed_and_reported(store: RoundStore) -> None:
    anna, ben, _ = status.agents(store)["clients"]
    assert (anna["online"], anna["rounds_accepted"], anna["last_accepted_round"]) == (False, 1, 1)
    assert anna["report"]["figures"]["personal"] == 0.75
    assert anna["report"]["head_note"] == "trained last"
    assert (ben["online"], ben["rounds_accepted"], ben["report"]) == (True, 0, None)


@pytest.mark.parametrize("terminal", [True, False])
def test_every_result_is_json_and_is_drawn(store: RoundStore, terminal: bool) -> None:
    detail = status.round_detail(store, 2)
    assert detail is not None
    for data, table, words in (
        (status.status(store), status_table, ["1 of 5", "50.0%", "anna, ben", "/runs/generic.onnx"]),
        (status.rounds(store), rounds_table, ["deadline", "1 missing, 1 late", "1 rejected", "not-selected: zoe"]),
        (detail, round_table, ["carla", "rejected", "not-finite: psi holds NaN"]),
        (status.agents(store), agents_table, ["anna", "offline", "75.0%", "trained last"]),
    ):
        assert json.loads(json.dumps(data)) == data
        text = drawn(table(data), terminal=terminal, width=100)
        assert [word for word in words if word not in text] == []


def test_without_a_terminal_a_row_is_one_line_however_long() -> None:
    sheet = Sheet(title="t", columns=("a", ">b"), rows=[("x" * 300, "1"), ("y", "22")])
    assert drawn(sheet, terminal=False).splitlines() == [
        "t",
        "a" + " " * 299 + "   b",
        "x" * 300 + "   1",
        "y" + " " * 299 + "  22",
    ]


def test_the_clients_table_fits_eighty_columns_and_loses_no_note(store: RoundStore) -> None:
    text = drawn(agents_table(status.agents(store)), terminal=True, width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "trained" in text


def test_a_peers_text_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J[red]\r\n\x07\u202e\x9b31m"
    for terminal in (True, False):
        text = drawn(Sheet(title=evil, columns=("why",), rows=[(evil,)]), terminal=terminal)
        assert "[red]" in text
        assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert printable("plain text, ünïcode") == "plain text, ünïcode"


def test_times_for_people() -> None:
    assert clock("2026-01-31T12:00:00.000+00:00") == "01-31 12:00"
