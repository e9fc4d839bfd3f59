"""A blob on its way: a file that is filled chunk by chunk, and beside it what of that file is known to be right.

``<name>.<digits>.part`` has the blob's size from the start; ``….marks`` holds one byte per chunk, 1 once its data is
written. A byte and not a bit, so that two writers of one blob never change each other's marks; the digits are those of
the chunk digests, so that whoever describes the blob otherwise writes elsewhere. Marks are written after the data and
believed only as far as the digests agree: neither a killed process nor a power cut can make a wrong blob.
"""

import hashlib
import os
import weakref
from pathlib import Path
from typing import Final

from shared.blobs import adopt_durably
from shared.chunks import chunk_digest
from shared.crash_points import passing
from shared.errors import ArtifactError
from shared.flushing import FLUSH_EVERY_CHUNKS, begin_flush

DIGEST_BYTES: Final = 16
"""Of one chunk."""


class PartFile:
    """The files of one unfinished blob, open for writing.

    The blob's SHA-256 grows with what comes in order. That of the file need not be computed again, because this object
    wrote or checked every byte of it, into a file that it holds open, and nobody writes other bytes into it.

    Args:
        target: Where the blob will stand.
        size: Its bytes, at least 1.
        chunk: Bytes per chunk; the last one may be smaller.
        digests: ``chunk_digest`` of every chunk in order, 16 bytes each.

    Attributes:
        target: As given.
        digests: As given.
        part: The data.
        marks: Which chunks are in it.
        missing: The chunks that are not; what was marked has been read and checked.

    Raises:
        ArtifactError: The files cannot be written.
    """

    def __init__(self, target: Path, size: int, chunk: int, digests: bytes) -> None:
        self.target, self.digests = target, digests
        self._size, self._chunk = size, chunk
        digits = hashlib.sha256(b"%d %b" % (chunk, digests)).hexdigest()[:8]
        self.part = target.with_name(f"{target.name}.{digits}.part")
        self.marks = target.with_name(f"{target.name}.{digits}.marks")
        self.missing = set(range(len(digests) // DIGEST_BYTES))
        self._sha256 = hashlib.sha256()
        self._hashed = 0  # chunks that the SHA-256 has seen, the first ones
        try:
            self._data, self._marks = self._opened(self.part), self._opened(self.marks)
            self._resume()
        except OSError as cause:
            raise self._unwritable(cause) from cause

    def _opened(self, path: Path) -> int:
        """Open a file for as long as this object lives: a pull ends in many ways, also by being forgotten."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def _resume(self) -> None:
        """Give the file its size, or take what an earlier attempt left."""
        count = len(self.missing)
        marks = os.pread(self._marks, count + 1, 0)
        if os.fstat(self._data).st_size != self._size or len(marks) != count:
            os.ftruncate(self._data, self._size)
            os.ftruncate(self._marks, 0)
            os.pwrite(self._marks, bytes(count), 0)
            return
        for index in (index for index in range(count) if marks[index]):
            data = os.pread(self._data, self._chunk, index * self._chunk)
            if self.fits(index, data):
                self._entered(index, data)

    def fits(self, index: int, data: bytes) -> bool:
        """Tell whether data is that of a chunk."""
        at = index * DIGEST_BYTES
        return (
            len(data) == min(self._chunk, self._size - index * self._chunk)
            and chunk_digest(data) == self.digests[at : at + DIGEST_BYTES]
        )

    def write(self, index: int, data: bytes) -> None:
        """Write a chunk that fits where it belongs, then mark it.

        Raises:
            ArtifactError: Disk full, no permission.
        """
        try:
            passing("chunk.write", self.part)
            written = os.pwrite(self._data, data, index * self._chunk)
            passing("chunk.written", self.part)
            os.pwrite(self._marks, b"\1", index)
            passing("chunk.marked", self.part)
        except OSError as cause:
            raise self._unwritable(cause) from cause
        if written != len(data):
            raise ArtifactError(f"cannot write {self.part}: disk full", remedy="free space, then start again")
        self._entered(index, data)
        if index % FLUSH_EVERY_CHUNKS == FLUSH_EVERY_CHUNKS - 1:
            begin_flush(self.part)

    def _entered(self, index: int, data: bytes) -> None:
        self.missing.remove(index)
        if index == self._hashed:
            self._sha256.update(data)
            self._hashed += 1

    def complete(self, sha256: str) -> str:
        """Check the whole, sync it and rename it to its target; a wrong one is removed.

        Returns:
            Its SHA-256 in hexadecimal, or an empty string where somebody removed the file meanwhile; the blob stands
            where this is what was expected.

        Raises:
            ArtifactError: The disk is full.
        """
        try:
            for index in range(self._hashed, len(self.digests) // DIGEST_BYTES):  # what came in another order
                self._sha256.update(os.pread(self._data, self._chunk, index * self._chunk))
            digest = self._sha256.hexdigest() if self._in_place() else ""
            os.fsync(self._data)
            if digest == sha256:
                adopt_durably(self.part, self.target)
            self.discard()
        except OSError as cause:
            raise self._unwritable(cause) from cause
        return digest

    def _in_place(self) -> bool:
        """Tell whether the file under the name is the one that is held open."""
        try:
            return os.path.samestat(self.part.stat(), os.fstat(self._data))
        except FileNotFoundError:
            return False

    def discard(self) -> None:
        """Remove these files; those of another description of the blob stay."""
        self.part.unlink(missing_ok=True)
        self.marks.unlink(missing_ok=True)

    def _unwritable(self, cause: OSError) -> ArtifactError:
        reason = cause.strerror or str(cause)
        return ArtifactError(f"cannot write {self.part}: {reason}", remedy="free space, then start again")


def discard_parts(target: Path) -> None:
    """Remove what is there of an unfinished blob, however it was described."""
    for suffix in ("part", "marks"):
        for path in target.parent.glob(f"{target.name}.{'[0-9a-f]' * 8}.{suffix}"):
            path.unlink(missing_ok=True)
