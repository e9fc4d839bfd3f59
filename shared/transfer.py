"""The receiver's side of a pull: it decides what is sent when, so that losses and deaths cost time and never bytes.

Pure of clock and network: the time, monotonic seconds, is passed in, requests are returned, chunks are handed over.
"""

import hashlib
import math
import os
from itertools import pairwise

from shared.blobs import BlobStore, adopt_durably
from shared.chunks import Chunk, chunk_digest
from shared.crash_points import passing
from shared.errors import ArtifactError, TransferError
from shared.limits import MAX_REREQUEST_SECONDS, REREQUEST_SECONDS, WINDOW_CHUNKS
from shared.messages import Get, Manifest

_PATIENCE = 4.0
"""Round trips without progress before what was asked for is called lost: fewer repeats chunks that are still coming."""


class Pull:
    """One blob on its way into a store.

    Chunks are written where they belong in ``<blob>.part`` as they come, each checked against the manifest. A part file
    left by an earlier process is read again and what is right in it is kept. The blob appears in the store whole, with
    its SHA-256 checked, or not at all.

    Args:
        transfer: This pull's number; chunks of another are ignored.
        manifest: What the sender said of the blob.
        store: Where it goes; a blob that is there already is done at once.
        now: Monotonic seconds.

    Attributes:
        manifest: As given.
        done: The blob is in the store.
        failure: Why this pull was given up; empty while it was not.

    Raises:
        TransferError: The manifest's size and its number of chunks contradict each other.
        ArtifactError: The part file cannot be written.
    """

    def __init__(self, transfer: int, manifest: Manifest, store: BlobStore, now: float) -> None:
        expected = math.ceil(manifest.size / manifest.chunk)
        if len(manifest.digests) != expected:
            raise TransferError(
                f"manifest of {manifest.blob[:12]} lists {len(manifest.digests)} chunks, "
                f"{manifest.size} bytes in chunks of {manifest.chunk} are {expected}"
            )
        self.manifest = manifest
        self.failure = ""
        self.done = manifest.blob in store
        self._transfer = transfer
        self._store = store
        self._part = store.folder / f"{manifest.blob}.part"
        self._missing = set(range(expected))
        self._asked: dict[int, float] = {}  # outstanding chunks, and when each was first asked for
        self._lost: dict[int, float] = {}  # asked for once and given up; they may still come
        self._round_trip = 0.0
        self._timeout = REREQUEST_SECONDS
        self._progress = now
        if not self.done:
            self._resume()

    @property
    def next_wakeup(self) -> float:
        """Monotonic seconds at which ``next_get`` has something to ask for if nothing comes before."""
        if self.done or self.failure:
            return math.inf
        return -math.inf if self._may_ask() else self._progress + self._timeout

    def next_get(self, now: float) -> Get | None:
        """Return the request that is due, or None.

        The window is refilled when half of it has arrived. Chunks that were asked for are not asked for again before
        nothing has come for the re-request timeout, which then doubles.
        """
        if self.done or self.failure:
            return None
        if self._asked and now >= self._progress + self._timeout:
            self._lost |= self._asked
            self._asked.clear()
            self._timeout = min(2 * self._timeout, MAX_REREQUEST_SECONDS)
        if not self._may_ask():
            return None
        if not self._asked:
            self._progress = now  # the wait for an answer begins with the question
        wanted = sorted(self._missing - self._asked.keys())[: WINDOW_CHUNKS - len(self._asked)]
        for index in wanted:
            self._asked[index] = self._lost.pop(index, now)
        return Get(transfer=self._transfer, blob=self.manifest.blob, ranges=_ranges(wanted), credit=len(wanted))

    def accept(self, chunk: Chunk, now: float) -> bool:
        """Take a chunk in; a foreign, repeated or damaged one changes nothing.

        With the last one the blob is checked, synced and renamed into the store, or, where the manifest lied about its
        SHA-256, discarded and ``failure`` set.

        Returns:
            True when the chunk was new and right.

        Raises:
            ArtifactError: It cannot be written: disk full, no permission.
        """
        if self.done or self.failure or chunk.transfer != self._transfer or chunk.index not in self._missing:
            return False
        if not self._fits(chunk.index, chunk.data):
            return False
        if self.manifest.blob in self._store:  # another pull of the same blob was faster
            self._part.unlink(missing_ok=True)
            self.done = True
            return True
        passing("chunk.write", self._part)
        self._write(chunk)
        passing("chunk.written", self._part)
        self._missing.remove(chunk.index)
        self._measure(chunk.index, now)
        if not self._missing:
            self._complete()
        return True

    def reconnected(self, now: float) -> None:
        """Ask at once for everything that was under way: a lost connection lost it."""
        self._asked.clear()
        self._lost.clear()
        self._timeout = REREQUEST_SECONDS
        self._progress = now

    def failed(self, reason: str) -> None:
        """Give up; what has arrived stays on disk for the next attempt."""
        self.failure = reason

    def _may_ask(self) -> bool:
        idle = self._missing.difference(self._asked)
        return bool(idle) and len(self._asked) <= WINDOW_CHUNKS // 2

    def _measure(self, index: int, now: float) -> None:
        """Adapt the timeout to the time an answer takes; on a slow link that is mostly the window's own length."""
        asked = self._asked.pop(index, None)
        asked = self._lost.pop(index, None) if asked is None else asked
        if asked is not None:
            self._round_trip = max(now - asked, 0.8 * self._round_trip + 0.2 * (now - asked))
        self._timeout = min(max(REREQUEST_SECONDS, _PATIENCE * self._round_trip), MAX_REREQUEST_SECONDS)
        self._progress = now

    def _length(self, index: int) -> int:
        return min(self.manifest.chunk, self.manifest.size - index * self.manifest.chunk)

    def _fits(self, index: int, data: bytes) -> bool:
        return len(data) == self._length(index) and chunk_digest(data) == self.manifest.digests[index]

    def _resume(self) -> None:
        """Keep what an earlier attempt left in the part file, and give the file its size."""
        try:
            with os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
                if os.fstat(file.fileno()).st_size == self.manifest.size:
                    for index in range(len(self.manifest.digests)):
                        if self._fits(index, file.read(self._length(index))):
                            self._missing.remove(index)
                else:
                    os.ftruncate(file.fileno(), self.manifest.size)
        except OSError as cause:
            raise self._unwritable(cause) from cause
        if not self._missing:
            self._complete()

    def _write(self, chunk: Chunk) -> None:
        try:
            with os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
                written = os.pwrite(file.fileno(), chunk.data, chunk.index * self.manifest.chunk)
        except OSError as cause:
            raise self._unwritable(cause) from cause
        if written != len(chunk.data):
            raise ArtifactError(f"cannot write {self._part}: disk full", remedy="free space, then start again")

    def _complete(self) -> None:
        try:
            with self._part.open("r+b") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            if digest != self.manifest.blob:
                self._part.unlink()
                self.failure = f"its chunks make {digest[:12]}, the manifest said {self.manifest.blob[:12]}"
                return
            adopt_durably(self._part, self._store.path(self.manifest.blob))
        except OSError as cause:
            raise self._unwritable(cause) from cause
        self.done = True

    def _unwritable(self, cause: OSError) -> ArtifactError:
        reason = cause.strerror or str(cause)
        return ArtifactError(f"cannot write {self._part}: {reason}", remedy="free space, then start again")


def _ranges(indices: list[int]) -> tuple[tuple[int, int], ...]:
    """Return ascending indices as half-open ranges."""
    breaks = [0, *(at for at, (left, right) in enumerate(pairwise(indices), 1) if right != left + 1), len(indices)]
    return tuple((indices[start], indices[stop - 1] + 1) for start, stop in pairwise(breaks))
