"""Content-addressed files: a blob's name is the SHA-256 of its bytes, so a file is right or it is not there."""

import contextlib
import hashlib
import os
from pathlib import Path

from shared.crash_points import passing
from shared.errors import ArtifactError, TransferError


def write_durably(path: Path, payload: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that a power cut leaves the old one or the new one, whole.

    Writes aside, syncs, renames, and syncs the folder, without which the rename itself may be lost.

    Args:
        path: The file; its folder is created when missing.
        payload: Its new content.
        mode: Permissions before the umask; 0o600 for what holds a secret, which then no instant shows to others.

    Raises:
        ArtifactError: The disk is full or the folder cannot be written; what stood at ``path`` still stands.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        make_folder(path.parent)
        aside.unlink(missing_ok=True)  # one left by a killed process may have other permissions
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            passing("file.opened", path)
            file.write(payload)
            file.flush()
            passing("file.written", path)
            os.fsync(file.fileno())
        adopt_durably(aside, path)
    except OSError as cause:
        with contextlib.suppress(OSError):  # nothing was begun where the folder itself is the trouble
            aside.unlink()
        raise ArtifactError(
            f"cannot write {path}: {cause.strerror or cause}", remedy="free space or choose another folder, then repeat"
        ) from cause


def adopt_durably(aside: Path, path: Path) -> None:
    """Rename a synced file into place and sync its folder."""
    passing("file.synced", path)
    aside.replace(path)
    passing("file.renamed", path)
    sync_folder(path.parent)
    passing("file.durable", path)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder with those above it, each of them durable: a synced file in a folder that is not is lost.

    Raises:
        OSError: It cannot be created.
    """
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for level in missing:
        sync_folder(level.parent)


class BlobStore:
    """A folder of blobs.

    Args:
        folder: Created when missing.

    Raises:
        ArtifactError: It cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            make_folder(folder)
        except OSError as cause:
            raise ArtifactError(
                f"cannot create {folder}: {cause.strerror or cause}",
                remedy="free space, choose another folder, or mend its rights",
            ) from cause

    def path(self, blob: str) -> Path:
        """Return where a blob stands or would stand."""
        return self.folder / blob

    def __contains__(self, blob: str) -> bool:
        """Tell whether the blob is here; files appear only whole, by rename."""
        return self.path(blob).is_file()

    def put(self, payload: bytes) -> str:
        """Store bytes durably and return their SHA-256; storing the same bytes again costs nothing.

        Raises:
            ArtifactError: The file cannot be written.
        """
        blob = hashlib.sha256(payload).hexdigest()
        if blob not in self:
            write_durably(self.path(blob), payload)
        return blob

    def get(self, blob: str) -> bytes:
        """Return a blob's bytes.

        Raises:
            TransferError: The blob is missing, or its bytes are no longer those of its name.
        """
        try:
            payload = self.path(blob).read_bytes()
        except OSError as cause:
            raise TransferError(f"blob {blob[:12]} is not in {self.folder}") from cause
        if hashlib.sha256(payload).hexdigest() != blob:
            raise TransferError(f"blob {blob[:12]} in {self.folder} was changed on disk")
        return payload

    def discard(self, blob: str) -> None:
        """Remove a blob if it is there."""
        path = self.path(blob)
        passing("file.discard", path)
        path.unlink(missing_ok=True)
        passing("file.discarded", path)

    def clear(self) -> None:
        """Remove every blob, and what was on its way."""
        for path in self.folder.iterdir():
            path.unlink(missing_ok=True)
