"""A power cut for folders: what was not synced, file and folder, is gone.

Only ``os.fsync`` is watched. A synced file keeps the bytes it had at that moment, a synced folder the names; at the cut
everything is put back to that. A name that survived without its bytes stays as an empty file, as journalling file
systems leave it. SQLite syncs by itself, out of Python's sight: its files are taken as they are.
"""

import os
import shutil
import threading
from pathlib import Path
from typing import Self

import pytest

_OUT_OF_SIGHT = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock")


class Disk:
    """Watches every fsync of this process; as a context manager it stops watching."""

    def __init__(self) -> None:
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: list[int] = []
        self._lock = threading.Lock()
        self._patches = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        real = os.fsync

        def fsync(descriptor: int) -> None:
            real(descriptor)
            with self._lock:
                self._remember(descriptor)

        self._patches.setattr(os, "fsync", fsync)
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.undo()
        for descriptor in self._held:
            os.close(descriptor)

    def _remember(self, descriptor: int) -> None:
        path, inode = Path(f"/proc/self/fd/{descriptor}").resolve(), os.fstat(descriptor).st_ino
        self._held.append(os.dup(descriptor))  # while it is open its number is given to no other file
        if path.is_dir():
            self._names[inode] = {name: os.lstat(path / name).st_ino for name in _names(path)}
        else:
            self._bytes[inode] = path.read_bytes()

    def cut(self, folder: Path) -> None:
        """Leave in a folder what a power cut would leave; nobody may be at work in it."""
        with self._lock:
            if folder.is_dir():
                self._cut(folder)

    def _cut(self, folder: Path) -> None:
        survived = self._names.get(folder.stat().st_ino, {})
        for name in _names(folder):
            path = folder / name
            if name.endswith(_OUT_OF_SIGHT):
                continue
            inode = os.lstat(path).st_ino
            if survived.get(name) != inode:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            elif path.is_dir():
                self._cut(path)
            else:
                path.write_bytes(self._bytes.get(inode, b""))
        for name in survived.keys() - set(_names(folder)):  # a removal that was not synced did not happen
            if survived[name] in self._bytes:
                (folder / name).write_bytes(self._bytes[survived[name]])


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in os.scandir(folder)]
