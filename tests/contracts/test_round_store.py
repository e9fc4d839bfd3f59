"""What every round store must do, method by method."""

import pytest

from cloud.store.contract import RoundStore
from cloud.store.rows import RoundResult, UpdateRecord
from shared.errors import RoundError, StoreError
from tests.stores import (
    CLIENTS,
    EVALUATION,
    Database,
    Ticking,
    accepted,
    everything,
    fate,
    join,
    model,
    one_committed,
    one_open,
    plan,
    report,
    result,
    start,
    started,
)


def test_an_empty_store_holds_nothing(store: RoundStore) -> None:
    assert store.federation() is None
    assert store.open_round() is None
    assert store.round(0) is None
    assert store.round(1) is None
    assert (store.clients(), store.rounds(), store.reports(), store.artifacts(), store.refusals()) == (
        [],
        [],
        [],
        [],
        [],
    )
    with pytest.raises(RoundError, match="nothing is committed yet"):
        store.last_committed()


def test_start_creates_the_federation_with_round_0(store: RoundStore) -> None:
    assert start(store)
    federation = store.federation()
    assert federation is not None
    assert (federation.name, federation.state, federation.etf_blob) == ("lab", "joining", "e" * 64)
    assert federation.settings_json == b'{"rounds":5}'
    assert (federation.bytes_up, federation.bytes_down) == (0, 0)
    assert federation.created_at == "2026-01-31T12:00:00.000+00:00"
    initial = store.last_committed()
    assert (initial.round_number, initial.blob, initial.evaluation) == (0, model(0), EVALUATION)
    assert store.rounds() == []


def test_starting_again_resumes_and_keeps_the_first_models(store: RoundStore) -> None:
    one_committed(store)
    before = everything(store)
    assert not store.start(
        name="lab",
        settings_json=b'{ "rounds": 5 }',
        etf_blob="0" * 64,
        initial=RoundResult(round_number=0, blob="1" * 64, reason="initial"),
    )
    after = everything(store)
    assert {**before, "clients": None} == {**after, "clients": None}


def test_after_a_restart_nobody_is_online_until_heard(store: RoundStore) -> None:
    started(store)
    start(store)
    assert [row.online for row in store.clients()] == [False, False, False]
    assert not store.client_seen("ben", online=True)
    assert [row.client for row in store.clients() if row.online] == ["ben"]


@pytest.mark.parametrize(
    ("recorded", "offered", "difference"),
    [
        (b'{"a":1,"b":{"c":2,"d":3}}', b'{"a":1,"b":{"c":2,"d":4}}', "b.d was 3, is 4"),
        (b'{"a":1,"b":{"c":2}}', b'{"a":9,"b":{"c":9}}', "a was 1, is 9"),
        (b'{"a":{"b":1}}', b'{"a":{}}', "a.b was 1, is absent"),
        (b'{"a":{}}', b'{"a":{"b":"x"}}', 'a.b was absent, is "x"'),
        (b'{"a":["cat","dog"]}', b'{"a":["cat","emu"]}', 'a was ["cat", "dog"], is ["cat", "emu"]'),
        (b'{"a":{"b":1}}', b'{"a":2}', 'a was {"b": 1}, is 2'),
        (b'{"a":1}', b'{"a":true}', "a was 1, is true"),
    ],
)
def test_other_settings_are_refused_by_the_first_key_that_differs(
    store: RoundStore, recorded: bytes, offered: bytes, difference: str
) -> None:
    start(store, settings_json=recorded)
    before = everything(store)
    with pytest.raises(StoreError) as error:
        start(store, settings_json=offered)
    assert error.value.message.endswith(f": {difference}")
    assert error.value.remedy
    assert everything(store) == before


def test_another_federation_is_refused_by_name(store: RoundStore) -> None:
    start(store, name="lab")
    with pytest.raises(StoreError, match="holds federation 'lab', not 'field'"):
        start(store, name="field")


@pytest.mark.parametrize(
    "initial",
    [
        RoundResult(round_number=1, blob=model(0), reason="initial"),
        RoundResult(round_number=0, blob=model(0), reason="initial", bytes_up={"anna": 1}),
    ],
)
def test_an_initial_model_is_round_0_and_moved_no_bytes(store: RoundStore, initial: RoundResult) -> None:
    with pytest.raises(StoreError, match="expected round 0 without bytes"):
        store.start(name="lab", settings_json=b"{}", etf_blob="e" * 64, initial=initial)
    assert store.federation() is None


def test_nothing_can_be_written_before_the_start(store: RoundStore) -> None:
    for write in (
        lambda: store.set_state("training", "x"),
        lambda: store.begin(plan(1, ())),
        lambda: store.commit(result(1)),
        lambda: store.add_bytes(0, up={"anna": 1}, down={"anna": 1}),
        lambda: store.record_update(1, accepted("anna")),
        lambda: store.record_artifact(kind="x", path="x", digest="0" * 64, round_number=0),
    ):
        with pytest.raises(StoreError):
            write()


def test_the_state_says_what_is_waited_for(store: RoundStore) -> None:
    start(store)
    store.set_state("training", "round 1: waits for updates")
    federation = store.federation()
    assert federation is not None
    assert (federation.state, federation.waiting_for) == ("training", "round 1: waits for updates")


def test_a_sign_of_life_tells_whether_the_client_is_new(database: Database) -> None:
    store = database.open(Ticking())
    start(store)
    assert store.client_seen("ben", online=True)
    assert not store.client_seen("ben", online=False)
    assert store.client_seen("anna", online=True)
    anna, ben = store.clients()
    assert (anna.client, anna.online, ben.client, ben.online) == ("anna", True, "ben", False)
    assert ben.joined_at < ben.last_seen_at < anna.joined_at
    store.close()


def test_who_gave_a_sign_of_life_is_known(store: RoundStore) -> None:
    started(store)
    assert store.knows("ben")
    assert not store.knows("nobody")


def test_a_client_row_tells_what_the_client_contributed(store: RoundStore) -> None:
    started(store)
    for number in (1, 2, 3):
        store.begin(plan(number))
        store.record_update(number, accepted("anna", num_examples=number))
        if number < 3:
            store.record_update(number, accepted("ben"))
        store.record_update(number, UpdateRecord(client="carla", state="rejected", reason="names", num_examples=99))
        store.commit(result(number))
    figures = [(row.client, row.rounds_accepted, row.last_accepted_round, row.num_examples) for row in store.clients()]
    assert figures == [("anna", 3, 3, 3), ("ben", 2, 2, 10), ("carla", 0, None, None)]


def test_bytes_add_up_over_rounds_and_what_belongs_to_none(store: RoundStore) -> None:
    one_committed(store)
    store.add_bytes(0, up={"anna": 5}, down={"anna": 7})
    store.add_bytes(0, up={"anna": 1}, down={"anna": 0})
    store.add_bytes(0, up={"ghost": 2}, down={"ghost": 0})
    federation = store.federation()
    assert federation is not None
    assert (federation.bytes_up, federation.bytes_down) == (308, 607)
    assert store.last_committed().bytes_up == dict.fromkeys(CLIENTS, 100)


def test_bytes_of_an_unknown_sender_do_not_stop_a_commit(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1))
    stray = RoundResult(round_number=1, blob=model(1), reason="complete", bytes_up={"ghost": 9})
    store.commit(stray)
    assert store.last_committed() == stray


def test_bytes_of_an_open_round_are_on_record_at_once_and_the_commit_adds_to_them(store: RoundStore) -> None:
    one_open(store)
    store.add_bytes(2, up={"anna": 5}, down={"*": 9})
    store.add_bytes(2, up={"anna": 2}, down={"*": 1})
    opened = store.open_round()
    assert opened is not None
    assert (opened.bytes_up, opened.bytes_down) == ({"anna": 7}, {"*": 10})
    store.commit(RoundResult(round_number=2, blob=model(2), reason="complete", bytes_up={"anna": 1, "ben": 3}))
    assert store.last_committed().bytes_up == {"anna": 8, "ben": 3}
    assert store.last_committed().bytes_down == {"*": 10}
    with pytest.raises(StoreError, match="no round 3"):
        store.add_bytes(3, up={"anna": 1}, down={})


def test_bytes_outside_rounds_are_not_round_0s(store: RoundStore) -> None:
    started(store)
    store.add_bytes(0, up={"anna": 5}, down={"anna": 7})
    assert store.last_committed().bytes_up == {}
    assert store.rounds() == []


def test_a_newer_report_replaces_the_earlier_one(store: RoundStore) -> None:
    one_committed(store)
    store.record_report(report("ben"))
    store.record_report(report("anna", round_number=0))
    assert store.reports() == [report("anna", round_number=0), report("ben")]
    store.record_report(report("anna"))
    assert store.reports() == [report("anna"), report("ben")]


def test_a_report_needs_a_known_client_and_a_committed_round(store: RoundStore) -> None:
    one_open(store)
    with pytest.raises(StoreError, match="unknown clients: zoe"):
        store.record_report(report("zoe"))
    for number, state in ((2, "open"), (3, "unknown")):
        with pytest.raises(StoreError, match=f"round {number} is {state}"):
            store.record_report(report("anna", number))
    assert store.reports() == []


def test_an_artifact_is_known_by_its_path(store: RoundStore) -> None:
    one_committed(store)
    store.record_artifact(kind="generic-onnx", path="/b", digest="1" * 64, round_number=0)
    store.record_artifact(kind="generic-onnx", path="/a", digest="2" * 64, round_number=1)
    store.record_artifact(kind="generic-onnx", path="/b", digest="3" * 64, round_number=1)
    assert store.artifacts() == [("generic-onnx", "/a", "2" * 64, 1), ("generic-onnx", "/b", "3" * 64, 1)]
    with pytest.raises(StoreError, match="round 2 is unknown"):
        store.record_artifact(kind="x", path="/c", digest="1" * 64, round_number=2)


def test_refusals_are_kept_in_order_and_a_repeated_one_once(store: RoundStore) -> None:
    one_open(store)
    before = {**everything(store), "refusals": None}
    for client, number in (("zoe", 7), ("anna", 1), ("zoe", 7), ("zoe", 8), ("zoe", 2**31 - 1)):
        store.record_refusal(client, round_number=number, reason="not-selected: no")
    assert [(client, number) for client, number, _ in store.refusals()] == [
        ("zoe", 7),
        ("anna", 1),
        ("zoe", 8),
        ("zoe", 2**31 - 1),
    ]
    assert {**everything(store), "refusals": None} == before


def test_a_flood_of_refusals_does_not_fill_the_disk(store: RoundStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.store.refusals.MAX_REFUSALS", 3)
    for number in range(5):
        store.record_refusal("zoe", round_number=number, reason="wrong-round")
    assert [number for _, number, _ in store.refusals()] == [0, 1, 2]


def test_closing_twice_does_no_harm(database: Database) -> None:
    store = database.open()
    store.close()
    store.close()


def test_the_worst_texts_a_peer_can_send_are_read_back(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1))
    reason = "'; DROP TABLE rounds; -- \x1b[31m %s ? :x \U0001f600 " + "x" * 500
    record = UpdateRecord(client="anna", state="failed", reason=reason)
    store.record_update(1, record)
    assert fate(store, 1, "anna") == ("failed", record)


def test_nobody_joins_twice(store: RoundStore) -> None:
    start(store)
    join(store)
    join(store)
    assert [row.client for row in store.clients()] == list(CLIENTS)
