"""Many runs: the same numbers whatever the number of workers, none made twice, none taken for another."""

from pathlib import Path

import msgspec
import pytest

from cloud.lab import cells
from cloud.lab.cells import finished, path_of, run_cell
from cloud.lab.setting import LabSetting
from cloud.lab.sweep import sweep
from cloud.result import Result, from_json, to_json
from shared.errors import FedlogeError
from tests.cloud.lab.runs import digits, silent, tiny

CELLS = [tiny(method=method, rounds=1, clients=2, seed=seed) for method, seed in (("fedavg", 0), ("fedavg-heads", 1))]


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of two runs in this process, one after the other."""
    folder = tmp_path_factory.mktemp("one")
    sweep(CELLS, folder, workers=1)
    return folder


def numbers(result: Result) -> Result:
    """Return a result without what a clock made, and without its bytes: a transfer's number is drawn, and counted."""
    return msgspec.structs.replace(result, seconds=0.0, bytes_up=0, bytes_down=0)


def read(folder: Path, setting: LabSetting) -> Result:
    found = finished(folder, setting)
    assert found is not None
    return found


def test_two_workers_give_the_numbers_of_one(one_worker: Path, tmp_path: Path) -> None:
    sweep(CELLS, tmp_path, workers=2)
    for setting in CELLS:
        alone, beside = read(one_worker, setting), read(tmp_path, setting)
        assert to_json(numbers(alone)) == to_json(numbers(beside))
        assert beside.bytes_up == pytest.approx(alone.bytes_up, rel=1e-4)
        assert beside.bytes_down == pytest.approx(alone.bytes_down, rel=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{s.key()}.json" for s in CELLS)


def test_a_finished_run_is_never_made_again(one_worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Result:
        raise AssertionError("made again")

    before = {path: path.read_bytes() for path in one_worker.iterdir()}
    monkeypatch.setattr(cells, "run", never)
    sweep(CELLS, one_worker, workers=1)
    assert run_cell(one_worker, CELLS[0], digits, silent) == read(one_worker, CELLS[0])
    assert {path: path.read_bytes() for path in one_worker.iterdir()} == before
    with pytest.raises(AssertionError, match="made again"):
        sweep([tiny(rounds=2)], one_worker, workers=1)


def test_a_run_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Result:
        raise FedlogeError("the machine is tired")

    monkeypatch.setattr(cells, "run", fails)
    with pytest.raises(FedlogeError, match="tired"):
        sweep(CELLS[:1], tmp_path, workers=1)
    assert list(tmp_path.iterdir()) == []


DAMAGES = {
    "cut in half": lambda payload, _: payload[: len(payload) // 2],
    "empty": lambda _, __: b"",
    "of a demo": lambda payload, _: to_json(msgspec.structs.replace(from_json(payload), lab=None)),
    "of another schema": lambda payload, _: payload.replace(b'"schema_version":1', b'"schema_version":99', 1),
    "of another run": lambda _, other: other,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_this_runs_result_is_refused_by_name(one_worker: Path, tmp_path: Path, damage: str) -> None:
    mine, other = (path_of(one_worker, setting).read_bytes() for setting in CELLS)
    path = path_of(tmp_path, CELLS[0])
    path.write_bytes(DAMAGES[damage](mine, other))
    with pytest.raises(FedlogeError) as refused:
        sweep(CELLS, tmp_path, workers=1)
    assert str(path) in refused.value.message
    assert "move the file away" in refused.value.remedy
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "nothing was run, and the file still stands"
