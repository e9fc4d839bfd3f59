"""What every round store must do with rounds and their updates, from the plan to the commit."""

import pytest

from cloud.store.contract import RoundStore
from cloud.store.rows import RoundResult, UpdateRecord
from shared.errors import StoreError
from shared.messages import ClientFigures
from tests.stores import (
    EVALUATION,
    FIGURES,
    NOON,
    accepted,
    everything,
    fate,
    model,
    one_committed,
    one_open,
    plan,
    result,
    started,
)


def test_a_round_that_begins_waits_for_everyone_selected(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1, ("anna", "carla")))
    row = store.open_round()
    assert row is not None
    assert (row.plan, row.state, row.result, row.closed_at) == (plan(1, ("anna", "carla")), "open", None, None)
    assert [(part.client, part.state, part.record) for part in row.participants] == [
        ("anna", "waiting", None),
        ("carla", "waiting", None),
    ]
    assert store.round(1) == row
    assert store.last_committed().round_number == 0


def test_only_the_next_round_can_begin_and_only_when_none_is_open(store: RoundStore) -> None:
    started(store)
    with pytest.raises(StoreError, match="the next round is 1, not 2"):
        store.begin(plan(2))
    store.begin(plan(1))
    for number in (1, 2):
        with pytest.raises(StoreError, match="round 1 is open"):
            store.begin(plan(number))
    store.commit(result(1))
    with pytest.raises(StoreError, match="the next round is 2, not 1"):
        store.begin(plan(1))


def test_a_round_begins_from_the_last_model_with_known_clients_or_not_at_all(store: RoundStore) -> None:
    started(store)
    stale = plan(1)
    with pytest.raises(StoreError, match="starts from"):
        store.begin(type(stale)(**{**{name: getattr(stale, name) for name in stale.__slots__}, "base_blob": "9" * 64}))
    with pytest.raises(StoreError, match="unknown clients: zoe"):
        store.begin(plan(1, ("anna", "zoe")))
    assert store.open_round() is None


@pytest.mark.parametrize(
    "record",
    [
        accepted("ben"),
        UpdateRecord(client="ben", state="rejected", reason="not-finite: psi holds NaN", blob="b" * 64, size_bytes=12),
        UpdateRecord(client="ben", state="failed", reason="out of memory"),
        UpdateRecord(client="ben", state="accepted", figures=ClientFigures(num_images=0)),
        UpdateRecord(client="ben", state="accepted", num_examples=2**62, size_bytes=2**62),
    ],
)
def test_an_update_is_read_back_as_it_was_recorded(store: RoundStore, record: UpdateRecord) -> None:
    started(store)
    store.begin(plan(1))
    assert store.record_update(1, record) == record.state
    assert fate(store, 1, "ben") == (record.state, record)
    assert fate(store, 1, "anna") == ("waiting", None)


def test_recording_an_update_again_changes_nothing(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1))
    store.record_update(1, accepted("ben"))
    before = everything(store)
    assert store.record_update(1, accepted("ben")) == "accepted"
    assert store.record_update(1, UpdateRecord(client="ben", state="rejected", reason="names")) == "accepted"
    assert everything(store) == before


def test_an_accepted_update_stays_accepted_after_the_commit(store: RoundStore) -> None:
    one_committed(store)
    before = everything(store)
    assert store.record_update(1, accepted("anna")) == "accepted"
    assert everything(store) == before


def test_an_update_after_the_close_is_late_and_its_client_stays_missing(store: RoundStore) -> None:
    one_committed(store)
    assert fate(store, 1, "ben") == ("missing", None)
    assert store.record_update(1, accepted("ben")) == "late"
    late = UpdateRecord(client="ben", state="late", blob="a" * 64, num_examples=10, size_bytes=4096, figures=FIGURES)
    assert fate(store, 1, "ben") == ("missing", late)
    assert store.record_update(1, UpdateRecord(client="ben", state="late", reason="again")) == "late"
    assert fate(store, 1, "ben") == ("missing", late)
    assert [row.rounds_accepted for row in store.clients()] == [1, 0, 0]


def test_an_update_is_not_late_while_its_round_is_open(store: RoundStore) -> None:
    one_open(store)
    with pytest.raises(StoreError, match="round 2 is open"):
        store.record_update(2, UpdateRecord(client="ben", state="late"))
    assert fate(store, 2, "ben") == ("waiting", None)


def test_an_update_needs_a_round_that_selected_its_client(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1, ("anna",)))
    for number in (0, 2, 2**31 - 1):
        with pytest.raises(StoreError, match=f"no round {number}"):
            store.record_update(number, accepted("anna"))
    for stranger in ("ben", "zoe"):
        with pytest.raises(StoreError, match=f"{stranger} was not selected for round 1"):
            store.record_update(1, accepted(stranger))


def test_a_commit_closes_the_round_and_names_the_missing(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1))
    store.record_update(1, accepted("anna"))
    store.record_update(1, UpdateRecord(client="ben", state="failed", reason="no images"))
    store.commit(result(1))
    row = store.round(1)
    assert row is not None
    assert (row.state, row.result) == ("committed", result(1))
    assert row.closed_at == NOON.isoformat(timespec="milliseconds")
    assert [part.state for part in row.participants] == ["accepted", "failed", "missing"]
    assert store.open_round() is None
    assert store.last_committed() == result(1)


def test_only_an_open_round_is_committed_and_only_once(store: RoundStore) -> None:
    one_committed(store)
    before = everything(store)
    for number, state in ((0, "committed"), (1, "committed"), (2, "unknown")):
        with pytest.raises(StoreError, match=f"round {number} is {state}"):
            store.commit(result(number))
    assert everything(store) == before


def test_a_refused_commit_leaves_no_trace(store: RoundStore) -> None:
    """The last row of the commit violates a constraint: everything before it must vanish with it."""
    one_open(store)
    before = everything(store)
    broken = RoundResult(
        round_number=2,
        blob=model(2),
        reason="complete",
        evaluation=EVALUATION,
        bytes_down={"anna": None},  # type: ignore[dict-item]
    )
    with pytest.raises(StoreError):
        store.commit(broken)
    assert everything(store) == before
    store.commit(result(2))
    assert store.last_committed() == result(2)


def test_one_participant_is_what_the_whole_round_says_of_it(store: RoundStore) -> None:
    one_committed(store)
    store.record_update(1, accepted("ben"))  # late
    store.begin(plan(2))
    store.record_update(2, UpdateRecord(client="anna", state="rejected", reason="names"))
    for row in store.rounds():
        for part in row.participants:
            assert store.participant(row.plan.round_number, part.client) == (row.state, part)
    assert store.participant(1, "nobody") is None
    assert store.participant(3, "anna") is None
    assert store.participant(0, "anna") is None
