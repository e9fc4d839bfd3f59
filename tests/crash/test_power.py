"""The power cut of the tests takes what a power cut takes; and what is called durable survives it."""

import os
from pathlib import Path

import pytest

import shared.blobs
from shared.blobs import BlobStore, write_durably
from shared.crash_points import Place, watched
from tests.crash.power import Disk


def test_a_file_without_a_sync_is_gone_and_one_without_its_bytes_is_empty(tmp_path: Path) -> None:
    with Disk() as disk:
        (tmp_path / "unsynced").write_bytes(b"lost")
        named = tmp_path / "named"
        named.write_bytes(b"lost, too")
        shared.blobs.sync_folder(tmp_path)
        (tmp_path / "unsynced-folder").mkdir()
        late = tmp_path / "late"
        with late.open("wb") as file:
            file.write(b"synced, but its name is not")
            file.flush()
            os.fsync(file.fileno())
        disk.cut(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"named": b"", "unsynced": b""}


def test_a_durable_file_survives_in_a_folder_that_was_made_for_it(tmp_path: Path) -> None:
    with Disk() as disk:
        write_durably(tmp_path / "new" / "folder" / "file", b"kept")
        blob = BlobStore(tmp_path / "blobs" / "deep").put(b"kept, too")
        disk.cut(tmp_path)
    assert (tmp_path / "new" / "folder" / "file").read_bytes() == b"kept"
    assert BlobStore(tmp_path / "blobs" / "deep").get(blob) == b"kept, too"


@pytest.mark.parametrize("place", ["file.opened", "file.written", "file.synced", "file.renamed", "file.durable"])
def test_replacing_a_file_leaves_the_old_or_the_new_whole(tmp_path: Path, place: Place) -> None:
    class Cut(BaseException):
        pass

    def die(passed: Place, concerning: object) -> None:
        del concerning
        if passed == place:
            raise Cut

    with Disk() as disk:
        write_durably(tmp_path / "file", b"old")
        with watched(die), pytest.raises(Cut):
            write_durably(tmp_path / "file", b"new")
        disk.cut(tmp_path)
    expected = b"new" if place == "file.durable" else b"old"
    assert (tmp_path / "file").read_bytes() == expected


@pytest.mark.parametrize("left_out", ["file", "folder"])
def test_a_forgotten_sync_shows(tmp_path: Path, left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Disk() as disk:
        write_durably(tmp_path / "other", b"so that the folder is known")
        watched_sync = os.fsync

        def forgetful(descriptor: int) -> None:
            is_folder = Path(f"/proc/self/fd/{descriptor}").resolve().is_dir()
            if is_folder != (left_out == "folder"):
                watched_sync(descriptor)

        monkeypatch.setattr(os, "fsync", forgetful)
        write_durably(tmp_path / "file", b"whole")
        disk.cut(tmp_path)
        monkeypatch.undo()
    assert not (tmp_path / "file").exists() or (tmp_path / "file").read_bytes() == b""
