"""One coordinator per database, for as long as its process lives."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.store.lock import coordinator_lock, coordinator_runs, lock_path
from shared.errors import AlreadyRunningError, StoreError


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.store.lock.WAIT_SECONDS", 0.0)


@pytest.fixture(params=["sqlite:///{}/f.sqlite", "sqlite://", "postgresql://user:secret@host/db"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param).format(tmp_path)


def child_that_holds(url: str, folder: Path) -> int:
    """Fork a process that takes the lock and waits to be killed; return its id once it has it."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with coordinator_lock(url, folder):
                os.write(tell, b"+")
                signal.pause()
        finally:
            os._exit(3)
    os.close(tell)
    assert os.read(ready, 1) == b"+"
    os.close(ready)
    return child


def test_a_second_coordinator_is_refused_by_the_databases_name(url: str, tmp_path: Path) -> None:
    with coordinator_lock(url, tmp_path):
        with pytest.raises(AlreadyRunningError) as error, coordinator_lock(url, tmp_path):
            pass
        assert error.value.exit_code == 6
        assert "another coordinator is running on database" in error.value.message
        assert "secret" not in error.value.message
        assert "\n" not in error.value.message
        assert "fedloge cloud status" in error.value.remedy
    with coordinator_lock(url, tmp_path):
        pass


def test_sigkill_frees_the_lock(url: str, tmp_path: Path) -> None:
    child = child_that_holds(url, tmp_path)
    assert coordinator_runs(url, tmp_path)
    with pytest.raises(AlreadyRunningError), coordinator_lock(url, tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not coordinator_runs(url, tmp_path)
    with coordinator_lock(url, tmp_path):
        pass


def test_two_databases_have_two_coordinators(tmp_path: Path) -> None:
    with coordinator_lock(f"sqlite:///{tmp_path}/a", tmp_path), coordinator_lock(f"sqlite:///{tmp_path}/b", tmp_path):
        pass


def test_a_link_to_the_database_is_no_way_around(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    with (
        coordinator_lock(f"sqlite:///{tmp_path}/real", tmp_path),
        pytest.raises(AlreadyRunningError),
        coordinator_lock(f"sqlite:///{tmp_path}/link", tmp_path),
    ):
        pass


def test_an_error_inside_frees_the_lock(url: str, tmp_path: Path) -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError), coordinator_lock(url, tmp_path):
        fail()
    assert not coordinator_runs(url, tmp_path)


def test_asking_whether_one_runs_creates_nothing(url: str, tmp_path: Path) -> None:
    assert not coordinator_runs(url, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with coordinator_lock(url, tmp_path):
        assert coordinator_runs(url, tmp_path)


@pytest.mark.parametrize("ask", [coordinator_lock, coordinator_runs])
def test_a_lock_file_that_cannot_be_one(tmp_path: Path, ask: Callable[[str, Path], object]) -> None:
    url = f"sqlite:///{tmp_path}/f.sqlite"
    lock_path(url, tmp_path).mkdir()
    if ask is coordinator_runs:
        assert not coordinator_runs(url, tmp_path)
        return
    with pytest.raises(StoreError, match="cannot lock"), coordinator_lock(url, tmp_path):
        pass
