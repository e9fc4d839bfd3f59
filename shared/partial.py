"""A blob on its way: a file that is filled chunk by chunk, and beside it what of that file is known to be right.

``<name>.part`` has the blob's size from the start; ``<name>.marks`` holds one byte per chunk, 1 once its data is
written. A byte and not a bit, so that two writers of one blob never change each other's marks. Marks are written after
the data and believed only as far as the digests agree: neither a killed process nor a power cut can make a wrong blob.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.blobs import adopt_durably
from shared.errors import ArtifactError

DIGEST_BYTES: Final = 16
"""BLAKE2b-128."""

SUFFIXES: Final = (".part", ".marks", ".digests")
"""What may stand beside blobs while one is on its way."""


@dataclass(frozen=True, slots=True)
class PartFile:
    """The files of one unfinished blob.

    Attributes:
        target: Where the blob will stand.
        size: Its bytes, at least 1.
        chunk: Bytes per chunk; the last one may be smaller.
        digests: BLAKE2b-128 of every chunk in order, 16 bytes each.
    """

    target: Path
    size: int
    chunk: int
    digests: bytes

    @property
    def part(self) -> Path:
        """The data."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def marks(self) -> Path:
        """Which chunks are in it."""
        return self.target.with_name(f"{self.target.name}.marks")

    def resume(self) -> set[int]:
        """Return the chunks that are missing, after giving the file its size; what is marked is read and checked.

        Raises:
            ArtifactError: The files cannot be written.
        """
        count = len(self.digests) // DIGEST_BYTES
        missing = set(range(count))
        try:
            with os.fdopen(os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
                marks = self.marks.read_bytes() if self.marks.exists() else b""
                if os.fstat(file.fileno()).st_size == self.size and len(marks) == count:
                    for index in (index for index in range(count) if marks[index]):
                        if self.fits(index, os.pread(file.fileno(), self.chunk, index * self.chunk)):
                            missing.remove(index)
                else:
                    os.ftruncate(file.fileno(), self.size)
                    self.marks.write_bytes(bytes(count))
        except OSError as cause:
            raise self._unwritable(cause) from cause
        return missing

    def fits(self, index: int, data: bytes) -> bool:
        """Tell whether data is that of a chunk."""
        at = index * DIGEST_BYTES
        return (
            len(data) == min(self.chunk, self.size - index * self.chunk)
            and hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest() == self.digests[at : at + DIGEST_BYTES]
        )

    def write(self, index: int, data: bytes) -> None:
        """Write a chunk where it belongs, then mark it.

        Raises:
            ArtifactError: Disk full, no permission.
        """
        try:
            written = _write_at(self.part, data, index * self.chunk)
            _write_at(self.marks, b"\1", index)
        except OSError as cause:
            raise self._unwritable(cause) from cause
        if written != len(data):
            raise ArtifactError(f"cannot write {self.part}: disk full", remedy="free space, then start again")

    def complete(self, sha256: str) -> str:
        """Check the whole, sync it and rename it to its target; a wrong one is removed.

        Returns:
            Its SHA-256 in hexadecimal; the blob stands where this is what was expected.

        Raises:
            ArtifactError: The disk is full.
        """
        try:
            with self.part.open("r+b") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            if digest == sha256:
                adopt_durably(self.part, self.target)
            self.discard()
        except OSError as cause:
            raise self._unwritable(cause) from cause
        return digest

    def discard(self) -> None:
        """Remove what is there of the unfinished blob."""
        self.part.unlink(missing_ok=True)
        self.marks.unlink(missing_ok=True)

    def _unwritable(self, cause: OSError) -> ArtifactError:
        reason = cause.strerror or str(cause)
        return ArtifactError(f"cannot write {self.part}: {reason}", remedy="free space, then start again")


def _write_at(path: Path, data: bytes, offset: int) -> int:
    """Write at an offset of a file, which is made when somebody removed it; return the bytes written."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        return os.pwrite(file.fileno(), data, offset)
