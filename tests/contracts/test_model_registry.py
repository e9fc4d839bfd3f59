"""The model registry, a part of every store: which model serves on which device, and who could not make one."""

from datetime import datetime

import pytest

from cloud.store.client_models import KEPT
from cloud.store.contract import RoundStore
from cloud.store.registry import ClientModelRow
from shared.errors import StoreError
from tests.stores import Database, Ticking, current, everything, failure, one_committed, one_open, report, started


def test_the_last_model_a_client_reported_is_its_current_one(database: Database) -> None:
    store = database.open(Ticking())
    started(store)
    store.record_model("ben", current("1" * 64))
    store.record_model("anna", current("2" * 64, accuracy=None))
    store.record_model("ben", current("3" * 64))
    rows = store.models()
    assert [(row.client, row.model, row.versions) for row in rows] == [
        ("anna", current("2" * 64, accuracy=None), 1),
        ("ben", current("3" * 64), 2),
    ]
    assert datetime.fromisoformat(rows[1].reported_at) > datetime.fromisoformat(rows[0].reported_at)
    store.close()


def test_the_same_model_again_changes_nothing_and_a_rollback_is_a_new_report(database: Database) -> None:
    store = database.open(Ticking())
    started(store)
    store.record_model("ben", current("1" * 64))
    before = store.models()
    store.record_model("ben", current("1" * 64))
    assert store.models() == before
    store.record_model("ben", current("2" * 64))
    store.record_model("ben", current("1" * 64))
    assert [(row.model.digest[0], row.versions) for row in store.models()] == [("1", 3)]
    store.close()


def test_a_client_that_reports_for_ever_fills_no_disk(store: RoundStore) -> None:
    started(store)
    store.record_model("ben", current("f" * 64))
    for number in range(KEPT + 5):
        store.record_model("anna", current(f"{number:064x}"))
    rows = {row.client: row for row in store.models()}
    assert rows["anna"].versions == KEPT
    assert rows["anna"].model.digest == f"{KEPT + 4:064x}"
    assert rows["ben"].versions == 1


def test_a_model_needs_a_known_client(store: RoundStore) -> None:
    started(store)
    with pytest.raises(StoreError, match="unknown clients: zoe"):
        store.record_model("zoe", current())
    assert store.models() == []


def test_a_failure_is_replaced_by_a_newer_one_and_ended_by_a_report(store: RoundStore) -> None:
    one_committed(store)
    store.record_failure(failure("ben", 0))
    store.record_failure(failure("anna"))
    store.record_failure(failure("ben"))
    assert store.failures() == [failure("anna"), failure("ben")]
    store.record_report(report("ben"))
    assert store.failures() == [failure("anna")]


def test_a_failure_needs_a_known_client_and_a_committed_round(store: RoundStore) -> None:
    one_open(store)
    before = everything(store)
    with pytest.raises(StoreError, match="unknown clients: zoe"):
        store.record_failure(failure("zoe"))
    with pytest.raises(StoreError, match="round 2 is open"):
        store.record_failure(failure("anna", 2))
    assert everything(store) == before


def test_a_registered_model_holds_a_certificates_summary_and_no_more(store: RoundStore) -> None:
    assert ClientModelRow.__dataclass_fields__.keys() == {"client", "model", "reported_at", "versions"}
    assert current().__struct_fields__ == ("digest", "kind", "round", "max_abs_error", "accuracy")
    del store
