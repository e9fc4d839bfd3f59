"""The receiver's side of a pull: it decides what is sent when, so that losses and deaths cost time and never bytes.

Pure of clock and network: the time, monotonic seconds, is passed in, requests are returned, chunks are handed over.
A blob whose chunk digests do not fit its manifest is pulled in two legs: the list of digests, then the blob.
"""

import hashlib
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from shared.blobs import BlobStore
from shared.chunks import Chunk, check_manifest, list_manifest, wave_number
from shared.errors import ArtifactError
from shared.limits import STALLED_SECONDS
from shared.messages import Get, Manifest
from shared.partial import PartFile, discard_parts
from shared.window import Window


@dataclass(frozen=True, slots=True)
class _Leg:
    """One of the two: which blob, its files, and what of it is missing."""

    blob: str
    file: PartFile
    window: Window


class Pull:
    """One blob on its way into a store.

    Chunks are written where they belong as they come, each checked against the manifest; what an earlier process left
    is read again and what is right in it is kept. The blob appears in the store whole, with its SHA-256 checked, or
    not at all.

    Args:
        transfer: This pull's number; chunks of another are ignored.
        manifest: What the sender said of the blob.
        store: Where it goes; a blob that is there already is done at once.
        now: Monotonic seconds.
        wave: A broadcast of the blob is under way: ask only for what it left out.

    Attributes:
        manifest: As given.
        done: The blob is in the store.
        failure: Why this pull was given up; empty while it was not.

    Raises:
        TransferError: The manifest's size and its number of chunks contradict each other.
        ArtifactError: The part file cannot be written.
    """

    def __init__(self, transfer: int, manifest: Manifest, store: BlobStore, now: float, *, wave: bool = False) -> None:
        check_manifest(manifest)
        self.manifest = manifest
        self.failure = ""
        self.done = manifest.blob in store
        self._transfer = transfer
        self._store = store
        self._jitter = transfer % 256 / 256
        self._leg: _Leg | None = None
        if not self.done:
            self._begin(now, wave=wave)

    @property
    def next_wakeup(self) -> float:
        """Monotonic seconds at which ``next_get`` has something to ask for if nothing comes before."""
        return math.inf if self._leg is None else self._leg.window.next_wakeup

    @property
    def outstanding_bytes(self) -> int:
        """What was asked for and has not come."""
        return 0 if self._leg is None else self._leg.window.outstanding * self.manifest.chunk

    @property
    def stalls_at(self) -> float:
        """Monotonic seconds from which on it counts as stalled if nothing comes before."""
        return math.inf if self._leg is None else self._leg.window.progress + STALLED_SECONDS

    def next_get(self, now: float, budget: int = 64) -> Get | None:
        """Return the request that is due, or None.

        Args:
            now: Monotonic seconds.
            budget: Chunks it may ask for at most.
        """
        if self._leg is None:
            return None
        wanted = self._leg.window.due(now, budget)
        if not wanted:
            return None
        return Get(transfer=self._transfer, blob=self._leg.blob, ranges=_ranges(wanted), credit=len(wanted))

    def accept(self, chunk: Chunk, now: float) -> bool:
        """Take a chunk in; a foreign, repeated or damaged one changes nothing.

        With the last one the blob is checked, synced and renamed into the store, or, where the manifest lied about its
        SHA-256, discarded and ``failure`` set.

        Returns:
            True when the chunk was new and right.

        Raises:
            ArtifactError: It cannot be written: disk full, no permission.
        """
        return chunk.transfer == self._transfer and self._take(chunk, now)

    def overhear(self, chunk: Chunk, now: float) -> bool:
        """Take a chunk of a broadcast in, which names the blob by its first digits; otherwise as ``accept``."""
        leg = self._leg
        if leg is None or chunk.transfer != wave_number(leg.blob):
            return False
        last = chunk.index == len(leg.file.digests) // 16 - 1
        taken = self._take(chunk, now)
        if last and self._leg is leg:
            leg.window.wave_ended(now)
        return taken

    def reconnected(self, now: float) -> None:
        """Ask at once for everything that was under way: a lost connection lost it."""
        if self._leg is not None:
            self._leg.window.reconnected(now)

    def failed(self, reason: str) -> None:
        """Give up; what has arrived stays on disk for the next attempt."""
        self.failure, self._leg = reason, None

    def discard(self) -> None:
        """Give up for ever and free the disk."""
        if self._leg is not None:
            self._leg.file.discard()
        self._list_path.unlink(missing_ok=True)
        self.failed("it is wanted no longer")

    def _take(self, chunk: Chunk, now: float) -> bool:
        leg = self._leg
        if leg is None or chunk.index not in leg.window.missing or not leg.file.fits(chunk.index, chunk.data):
            return False
        if self.manifest.blob in self._store:  # another pull of the same blob was faster
            self._finish()
            return True
        leg.file.write(chunk.index, chunk.data)
        leg.window.arrived(chunk.index, now)
        if not leg.window.missing:
            self._complete(leg, now)
        return True

    def _begin(self, now: float, *, wave: bool = False) -> None:
        """Begin with the list of digests where the manifest has none and no earlier attempt left it."""
        manifest = self.manifest
        if manifest.digest_list is None:
            self._enter(manifest, self._store.path(manifest.blob), bytes.fromhex("".join(manifest.digests)), now, wave)
            return
        digests = self._read_list()
        if digests is None:
            inner = list_manifest(manifest)
            self._enter(inner, self._list_path, bytes.fromhex("".join(inner.digests)), now, wave)
        else:
            self._enter(manifest, self._store.path(manifest.blob), digests, now, wave)

    def _enter(self, manifest: Manifest, target: Path, digests: bytes, now: float, wave: bool) -> None:
        file = PartFile(target, manifest.size, manifest.chunk, digests)
        self._leg = leg = _Leg(manifest.blob, file, Window(file.missing, now, listen=wave, jitter=self._jitter))
        if not leg.window.missing:
            self._complete(leg, now)

    def _complete(self, leg: _Leg, now: float) -> None:
        digest = leg.file.complete(leg.blob)
        if digest != leg.blob:
            made = f"its chunks make {digest[:12]}" if digest else "its file was removed"
            self.failed(f"{made}, the manifest said {leg.blob[:12]}")
        elif leg.blob == self.manifest.blob:
            self._finish()
        else:
            self._begin(now, wave=leg.window.listening)

    def _finish(self) -> None:
        self.done, self._leg = True, None
        for target in (self._store.path(self.manifest.blob), self._list_path):
            discard_parts(target)
        self._list_path.unlink(missing_ok=True)

    @property
    def _list_path(self) -> Path:
        """Where the list of digests waits: under the blob's own name, so that no other blob can be meant by it."""
        return self._store.path(f"{self.manifest.blob}.digests")

    def _read_list(self) -> bytes | None:
        try:
            digests = self._list_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise ArtifactError(f"cannot read {self._list_path}: {cause.strerror or cause}") from cause
        return digests if hashlib.sha256(digests).hexdigest() == self.manifest.digest_list else None


def _ranges(indices: list[int]) -> tuple[tuple[int, int], ...]:
    """Return ascending indices as half-open ranges."""
    breaks = [0, *(at for at, (left, right) in enumerate(pairwise(indices), 1) if right != left + 1), len(indices)]
    return tuple((indices[start], indices[stop - 1] + 1) for start, stop in pairwise(breaks))
