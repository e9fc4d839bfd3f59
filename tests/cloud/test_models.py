"""The model registry as the operator sees it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from cloud.models import models
from cloud.models_text import models_table
from cloud.store.contract import RoundStore
from shared.errors import StoreError
from tests.stores import CLIENTS, current, failure, model, one_open, sqlite_database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RoundStore]:
    """Anna's model serves, ben could not make a new one and serves an old one, carla has none; round 2 is open."""
    store = sqlite_database(tmp_path).open()
    one_open(store)
    store.record_model("anna", current("1" * 64))
    store.record_model("anna", current("2" * 64, accuracy=0.875))
    store.record_model("ben", current("3" * 64, accuracy=None))
    store.record_failure(failure("ben"))
    store.record_artifact(kind="generic", path="/runs/generic.onnx", digest="9" * 64, round_number=1)
    yield store
    store.close()


def test_every_client_is_listed_with_what_it_reported_last(store: RoundStore) -> None:
    rows = models(store)["clients"]
    assert [row["client"] for row in rows] == list(CLIENTS)
    assert [row["versions"] for row in rows] == [2, 1, 0]
    assert rows[0]["current"] == {
        "digest": "2" * 64,
        "kind": "personal",
        "round": 1,
        "max_abs_error": 1e-6,
        "accuracy": 0.875,
    }
    assert rows[1]["failure"] == {"round": 1, "reason": "refused"}
    assert (rows[2]["current"], rows[2]["reported_at"], rows[2]["failure"]) == (None, None, None)


def test_the_generic_models_versions_are_the_committed_rounds_with_their_gm(store: RoundStore) -> None:
    (only,) = models(store)["generic"]
    assert (only["round"], only["blob"], only["accuracy"]) == (1, model(1), 0.5)
    assert only["groups"] == {"head": 0.9, "tail": None}
    assert (only["path"], only["digest"]) == ("/runs/generic.onnx", "9" * 64)


def test_the_result_is_json_and_the_table_says_the_same(store: RoundStore) -> None:
    data = models(store)
    assert json.loads(json.dumps(data)) == data
    file = io.StringIO()
    Console(file=file, width=200).print(models_table(data))
    lines = file.getvalue().splitlines()
    anna, ben, carla = (next(line for line in lines if name in line) for name in CLIENTS)
    assert "222222222222" in anna
    assert "87.5%" in anna
    assert "round 1: refused" in ben
    assert "none reported" in carla
    assert any("/runs/generic.onnx" in line and "50.0%" in line for line in lines)


def test_before_the_start_there_is_nothing_to_list(tmp_path: Path) -> None:
    store = sqlite_database(tmp_path).open()
    with pytest.raises(StoreError, match="no federation"):
        models(store)
    store.close()
