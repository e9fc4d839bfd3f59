"""The versions of this device's model: a folder each, and one link that says which of them serves.

::

    models/7/personal.onnx, personal.onnx.json, personal.bundle.safetensors
    current -> models/7
    personal.onnx -> current/personal.onnx        (and the other two: the names that never change)

The link is replaced by one rename, so whoever opens a file finds the old version or the new one, whole, whatever is
killed when; it alone decides what serves, and the journal tells how it came to point there.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.blobs import sync_folder
from shared.crash_points import passing
from shared.errors import ArtifactError

ONNX: Final = "personal.onnx"
RECORD: Final = "personal.onnx.json"
BUNDLE: Final = "personal.bundle.safetensors"
FILES: Final = (ONNX, RECORD, BUNDLE)

CURRENT: Final = "current"
FOLDER: Final = "models"
STAGED: Final = "staged"


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions in one agent's folder.

    Attributes:
        state: The agent's folder.
    """

    state: Path

    def folder(self, version: int | str) -> Path:
        """Return where a version, or ``STAGED``, stands or would stand."""
        return self.state / FOLDER / str(version)

    def current(self) -> int | None:
        """Return the version that serves, or None before the first."""
        try:
            name = (self.state / CURRENT).readlink().name
        except OSError:
            return None
        return int(name) if name.isdecimal() else None

    def kept(self) -> list[int]:
        """Return the versions on disk, oldest first."""
        folder = self.state / FOLDER
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def stage(self) -> Path:
        """Return an empty folder to make the next version in; what a killed process left there is gone.

        Raises:
            ArtifactError: It cannot be made.
        """
        staged = self.folder(STAGED)
        try:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
        except OSError as cause:
            raise _refused(staged, cause) from cause
        return staged

    def adopt(self, version: int) -> None:
        """Give the staged folder its number; its files are on disk already.

        Raises:
            ArtifactError: It cannot be renamed.
        """
        place = self.folder(version)
        try:
            shutil.rmtree(place, ignore_errors=True)  # of a process killed before the journal named it
            self.folder(STAGED).rename(place)
            sync_folder(place)
            sync_folder(place.parent)
        except OSError as cause:
            raise _refused(place, cause) from cause

    def switch(self, version: int) -> None:
        """Let a version serve: one rename, durable when this returns.

        Raises:
            ArtifactError: The link cannot be made; the version that served still serves.
        """
        try:
            for name in FILES:  # first, so that all three appear with the first version at once
                if not (self.state / name).is_file():
                    _link(self.state / name, f"{CURRENT}/{name}")
            _link(self.state / CURRENT, f"{FOLDER}/{version}")
            sync_folder(self.state)
        except OSError as cause:
            raise _refused(self.state / CURRENT, cause) from cause
        self.mend()

    def mend(self) -> None:
        """Put the names that never change in place, where a killed process or an export by hand left them otherwise.

        Raises:
            ArtifactError: A link cannot be made.
        """
        if self.current() is None:
            return
        for name in FILES:
            path, target = self.state / name, f"{CURRENT}/{name}"
            try:
                if not path.is_symlink() or str(path.readlink()) != target:
                    _link(path, target)
            except OSError as cause:
                raise _refused(path, cause) from cause

    def prune(self, keep: set[int]) -> None:
        """Remove the versions not in ``keep``; the one that serves always stays."""
        for version in set(self.kept()) - keep - {self.current()}:
            shutil.rmtree(self.folder(version), ignore_errors=True)


def _link(path: Path, target: str) -> None:
    """Make or replace a symbolic link by one rename."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.link")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    passing("file.synced", path)
    aside.replace(path)
    passing("file.renamed", path)


def _refused(path: Path, cause: OSError) -> ArtifactError:
    return ArtifactError(
        f"cannot write {path}: {cause.strerror or cause}", remedy="free space or choose another folder, then repeat"
    )
