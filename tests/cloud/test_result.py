"""``result.json``: round trip, summary and refusals."""

from pathlib import Path

import msgspec
import pytest

from cloud.result import (
    ClientResult,
    Parity,
    Result,
    from_json,
    mean,
    summarise_clients,
    to_json,
    write_result,
)
from shared.errors import ArtifactError, FedlogeError
from tests.cloud.demo.sample_result import large_result, sample_result


def test_a_result_survives_json_and_equal_results_give_equal_bytes() -> None:
    for result in (sample_result(), large_result(), Result()):
        assert from_json(to_json(result)) == result
    assert to_json(sample_result()) == to_json(sample_result())


def test_the_file_has_the_fields_that_users_rely_on() -> None:
    data = msgspec.json.decode(to_json(sample_result()))
    assert {"schema_version", "config", "rounds", "gm", "pm", "bytes_up", "bytes_down", "seconds"} <= data.keys()
    assert {"global_digest", "models"} <= data.keys()
    assert {"accuracy", "head", "medium", "tail"} <= data["gm"].keys()
    assert {"mean", "std", "worst_decile", "per_client"} <= data["pm"].keys()
    assert {"client", "num_images", "alone", "generic", "personal"} <= data["pm"]["per_client"][0].keys()
    assert {"path", "digest", "parity"} <= data["models"][0].keys()


def test_the_summary_is_the_unweighted_mean_its_spread_and_the_worst_tenth() -> None:
    clients = [ClientResult(client=f"c{i:02d}", num_images=i, personal=i / 20) for i in reversed(range(20))]
    pm = summarise_clients(clients)
    assert pm.mean == pytest.approx(0.475)
    assert pm.std == pytest.approx((sum((i - 9.5) ** 2 for i in range(20)) / 20) ** 0.5 / 20)
    assert pm.worst_decile == pytest.approx(0.025)
    assert [client.client for client in pm.per_client] == [f"c{i:02d}" for i in range(20)]


def test_the_worst_tenth_of_three_clients_is_one_client() -> None:
    clients = [ClientResult(client=name, num_images=5, personal=p) for name, p in (("a", 0.9), ("b", 0.2), ("c", 1.0))]
    assert summarise_clients(clients).worst_decile == 0.2


def test_what_nobody_measured_has_no_mean() -> None:
    assert mean([None, None]) is None
    assert mean([0.5, None]) == 0.5
    assert summarise_clients([ClientResult(client="a", num_images=1)]).mean is None


def test_parity_holds_only_within_the_bound_and_with_every_label() -> None:
    assert Parity(max_abs_error=1e-6, bound=1e-5, label_agreement=1.0, num_images=8).holds
    assert not Parity(max_abs_error=2e-5, bound=1e-5, label_agreement=1.0, num_images=8).holds
    assert not Parity(max_abs_error=1e-6, bound=1e-5, label_agreement=0.875, num_images=8).holds


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(FedlogeError, match="does not parse"):
        from_json(b'{"rounds": 3}')
    with pytest.raises(FedlogeError, match="schema 2"):
        from_json(b'{"schema_version": 2}')


def test_a_result_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_result(sample_result(), tmp_path / "missing" / "result.json")
