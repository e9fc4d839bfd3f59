"""A disk that is full: exit code 9, what stood before still stands, and nothing half-written is left."""

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.journal import Journal
from shared.blobs import BlobStore, write_durably
from shared.errors import ArtifactError, StoreError
from tests.command_line.conftest import Fedloge, tree
from tests.edge.test_journal import ROUND


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse every write beyond a file's first ``size`` bytes, as a quota does."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does at its start
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 KiB: an empty journal takes half of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_init_on_a_full_disk_leaves_no_half_a_file(fedloge: Fedloge, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    with files_of_at_most(2048):
        done = fedloge("cloud", "init", file, "--classes", "a,b", "--json")
    done.refused(9, f"cannot write {file}", "free space")
    assert list(tmp_path.iterdir()) == []


def test_a_coordinator_that_cannot_write_its_first_model_has_not_started(
    fedloge: Fedloge, federation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", _disk_full)
        fedloge("cloud", "start", federation, "--json").refused(9, "No space left on device", "free space")
    assert not [name for name in tree(federation.parent) if name.endswith(".part")]
    fedloge("cloud", "status", "--file", federation).refused(6, "there is no database")


def _disk_full(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_on_a_full_disk_keeps_its_old_content(small_disk: Path) -> None:
    path = small_disk / "model.onnx"
    write_durably(path, b"old" * 1000)
    with pytest.raises(ArtifactError, match="No space left on device"):
        write_durably(path, b"new" * 90_000)
    assert tree(small_disk) == {"model.onnx": b"old" * 1000}
    write_durably(path, b"new" * 1000)
    assert path.read_bytes() == b"new" * 1000


def test_a_blob_on_a_full_disk_is_there_whole_or_not_at_all(small_disk: Path) -> None:
    store = BlobStore(small_disk / "blobs")
    kept = store.put(b"x" * 1000)
    with pytest.raises(ArtifactError, match="No space left on device"):
        store.put(b"y" * 300_000)
    assert list(store.folder.iterdir()) == [store.path(kept)]
    assert store.get(kept) == b"x" * 1000


def test_a_journal_on_a_full_disk_says_so_and_keeps_what_it_recorded(small_disk: Path) -> None:
    journal = Journal(small_disk / "agent.sqlite")
    recorded = 0

    def fill() -> None:
        nonlocal recorded
        for number in range(1, 1000):
            journal.record_report(number, str(number), "x" * 1000)
            recorded = number

    with pytest.raises(StoreError, match=r"agent\.sqlite: database or disk is full") as caught:
        fill()
    assert "free space" in caught.value.remedy
    assert recorded
    journal.close()
    again = Journal(small_disk / "agent.sqlite")
    assert again.report(str(recorded)) == "x" * 1000
    assert again.report(str(recorded + 1)) is None
    again.close()


def test_a_journal_that_became_read_only_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "agent.sqlite")
    journal._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="attempt to write a readonly database"):
        journal.record(ROUND)
    journal.close()
