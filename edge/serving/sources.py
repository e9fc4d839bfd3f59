"""Where served models come from, and a token that tells cheaply whether another one should serve."""

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Protocol

from edge.serving.model import ServedModel
from edge.serving.opener import Opener
from edge.versions import CURRENT, ONNX, Versions
from export.layout import BACKBONE
from export.loading import load
from export.record import record_path
from shared.errors import RoundError, VerificationError


class Source(Protocol):
    """One place of models."""

    def token(self, client: str | None) -> Hashable:
        """Return what differs as soon as another model should serve; a few microseconds, so it is asked at each call.

        Raises:
            VerificationError: There is no such model.
        """
        ...

    def load(self, client: str | None, opener: Opener) -> ServedModel:
        """Open the model that should serve now, its every byte as its certificate says.

        Raises:
            VerificationError: A file is missing, or not what its record says.
            ExportError: The runtime refuses it.
        """
        ...


class FileSource:
    """One exported file, which may be replaced while it serves.

    Args:
        path: The file, its record beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self, client: str | None) -> Hashable:
        """Return the state of both files on disk."""
        _refuse_client(client, self._path)
        return stamp(self._path), stamp(record_path(self._path))

    def load(self, client: str | None, opener: Opener) -> ServedModel:
        """Open the file."""
        _refuse_client(client, self._path)
        return load_whole(self._path, opener)


class StateSource:
    """An agent's folder: what serves is what its link says.

    Args:
        state: The agent's folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def token(self, client: str | None) -> Hashable:
        """Return where the link points."""
        _refuse_client(client, self._state)
        try:
            return os.readlink(self._state / CURRENT)  # noqa: PTH115 - pathlib takes three times as long, at every call
        except OSError as cause:
            raise RoundError(
                f"no model serves in {self._state} yet",
                remedy="let the agent finish a federation, or: fedloge edge personalize",
            ) from cause

    def load(self, client: str | None, opener: Opener) -> ServedModel:
        """Open the version that the link points to, by its own name: the link may move meanwhile."""
        _refuse_client(client, self._state)
        versions = Versions(self._state)
        version = versions.current()
        if version is None:
            raise VerificationError(f"{self._state / CURRENT} points nowhere", remedy="fedloge edge rollback --to N")
        return load_whole(versions.folder(version) / ONNX, opener)


def load_whole(path: Path, opener: Opener) -> ServedModel:
    """Open a file that is a whole model; errors as ``Source.load``."""
    loaded = load(path)
    if loaded.record.part not in {"single", "complete"}:
        raise VerificationError(f"{path} is a {loaded.record.part} alone", remedy="name the folder of the split export")
    return ServedModel(digest=loaded.record.sha256, body=opener.open(loaded.payload, loaded.others))


def stamp(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is replaced by rename or rewritten.

    Raises:
        VerificationError: It is missing.
    """
    try:
        found = path.stat()
    except OSError as cause:
        raise VerificationError(
            f"cannot read {path}: {cause.strerror or cause}", remedy="export the model again, or restore the file"
        ) from cause
    return found.st_ino, found.st_mtime_ns, found.st_size


def _refuse_client(client: str | None, path: Path) -> None:
    if client is not None:
        raise VerificationError(f"{path} holds one model, not one per client", remedy="leave the client out")


def source_of(path: Path) -> Source:
    """Return the source that a path is: an exported file, a split export, or an agent's folder.

    Raises:
        VerificationError: It is none of them.
    """
    if (path / BACKBONE).is_file():
        from edge.serving.split import SplitSource  # noqa: PLC0415 - which builds on this file

        return SplitSource(path)
    if path.is_dir():
        return StateSource(path)
    if path.is_file():
        return FileSource(path)
    raise VerificationError(f"{path} is no model", remedy="name an exported file, or the agent's --state folder")
