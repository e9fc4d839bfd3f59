"""The receiver's side over all peers: which pulls run, which wait, and what they may have under way together."""

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from shared.blobs import BlobStore
from shared.chunks import Chunk
from shared.errors import TransferError
from shared.events import Arrived, PullFailed
from shared.limits import MAX_INFLIGHT_BYTES, MAX_PULLS
from shared.messages import Get, Manifest
from shared.transfer import Pull


@dataclass(slots=True)
class _Wanted:
    client: str
    manifest: Manifest
    deadline: float
    wave: bool


class Pulling:
    """Pulls ``MAX_PULLS`` blobs at a time; one that stalls makes room for one that waits.

    Args:
        spool: Where blobs go.
        clock: Monotonic seconds.
        quota_bytes: What one peer may have on its way here at once, on disk; None for no limit.
        say: Sends a request to a peer.

    Attributes:
        outcomes: Pulls that ended and were not yet told.
    """

    def __init__(
        self,
        spool: BlobStore,
        *,
        clock: Callable[[], float],
        quota_bytes: int | None,
        say: Callable[[str, Get], None],
    ) -> None:
        self.outcomes: deque[Arrived | PullFailed] = deque()
        self._spool = spool
        self._clock = clock
        self._quota_bytes = quota_bytes
        self._say = say
        self._running: dict[tuple[str, int], tuple[Pull, _Wanted]] = {}
        self._waiting: deque[_Wanted] = deque()
        self._transfers = itertools.count(secrets.randbits(47) | 1 << 47)  # in one width: equal runs carry equal bytes

    def begin(self, client: str, manifest: Manifest, *, timeout_seconds: float, wave: bool) -> None:
        """Pull a blob; see ``Exchange.pull``."""
        wanted = [*(wanted for _, wanted in self._running.values()), *self._waiting]
        mine = [known.manifest for known in wanted if known.client == client]
        if manifest in mine:
            return
        if manifest.blob in {known.blob for known in mine}:  # described anew: its chunks have another size
            self.forget(manifest.blob, client)
            mine = [known for known in mine if known.blob != manifest.blob]
        if self._quota_bytes is not None and sum(known.size for known in mine) + manifest.size > self._quota_bytes:
            reason = f"quota: more than {self._quota_bytes} bytes of {client} would be under way"
            self.outcomes.append(PullFailed(client, manifest.blob, reason))
            return
        self._waiting.append(_Wanted(client, manifest, self._clock() + timeout_seconds, wave))
        self._start(self._clock())

    def abandon(self, client: str | None, keep: Collection[str]) -> None:
        """Forget pulls and what came of them; see ``Exchange.abandon``."""

        def meant(wanted: _Wanted) -> bool:
            return client in {None, wanted.client} and wanted.manifest.blob not in keep

        for pull, wanted in self._running.values():
            if meant(wanted):
                pull.discard()
        self._drop(meant)

    def forget(self, blob: str, client: str | None) -> None:
        """Forget pulls of one blob and keep what came of it; see ``Exchange.forget``."""
        self._drop(
            lambda wanted: (
                client in {None, wanted.client} and blob in {wanted.manifest.blob, wanted.manifest.digest_list}
            )
        )

    def _drop(self, meant: Callable[[_Wanted], bool]) -> None:
        self._running = {key: value for key, value in self._running.items() if not meant(value[1])}
        self._waiting = deque(wanted for wanted in self._waiting if not meant(wanted))

    def reconnected(self, client: str | None = None) -> None:
        """Ask again for everything that was under way, or what was from one peer."""
        for (sender, _), (pull, _) in self._running.items():
            if client in {None, sender}:
                pull.reconnected(self._clock())

    def advance(self) -> None:
        """Start waiting pulls, ask for what is due, and give up what is overdue."""
        now = self._clock()
        self._start(now)
        for key, (pull, wanted) in list(self._running.items()):
            if pull.done:
                self._finish(key, pull)
            elif pull.failure:
                self._give_up(key, pull, pull.failure)
            elif now >= wanted.deadline:
                self._give_up(key, pull, "the transfer's deadline passed")
            elif (get := pull.next_get(now, self._budget(pull))) is not None:
                self._say(key[0], get)

    def next_wakeup(self) -> float:
        """Return the monotonic seconds at which ``advance`` has something to do if nothing comes before."""
        wakes = [min(pull.next_wakeup, wanted.deadline) for pull, wanted in self._running.values()]
        if self._waiting:
            wakes += [pull.stalls_at for pull, _ in self._running.values()]
        return min(wakes, default=float("inf"))

    def take(self, client: str, chunk: Chunk) -> None:
        """Give a chunk to the pull it belongs to."""
        found = self._running.get((client, chunk.transfer))
        if found is not None and found[0].accept(chunk, self._clock()) and found[0].done:
            self._finish((client, chunk.transfer), found[0])

    def overhear(self, chunk: Chunk) -> None:
        """Give a chunk of a broadcast to every pull that wants it."""
        for key, (pull, _) in list(self._running.items()):
            if pull.overhear(chunk, self._clock()) and pull.done:
                self._finish(key, pull)

    def _budget(self, pull: Pull) -> int:
        """Return how many chunks a pull may ask for without overfilling what lies between the peers and this loop."""
        under_way = sum(other.outstanding_bytes for other, _ in self._running.values())
        return max(1, (MAX_INFLIGHT_BYTES - under_way) // pull.manifest.chunk)

    def _start(self, now: float) -> None:
        """Begin pulls that wait; stalled ones go back to the queue for them, with what they have on disk."""
        stalled = [key for key, (pull, _) in self._running.items() if now >= pull.stalls_at]
        for key in stalled[: len(self._waiting)] if len(self._running) >= MAX_PULLS else ():
            self._waiting.append(self._running.pop(key)[1])
        while self._waiting and len(self._running) < MAX_PULLS:
            wanted = self._waiting.popleft()
            transfer = next(self._transfers)
            try:
                pull = Pull(transfer, wanted.manifest, self._spool, now, wave=wanted.wave)
            except TransferError as error:  # the manifest contradicts itself
                self.outcomes.append(PullFailed(wanted.client, wanted.manifest.blob, error.message))
                continue
            self._running[wanted.client, transfer] = (pull, wanted)

    def _finish(self, key: tuple[str, int], pull: Pull) -> None:
        del self._running[key]
        self._say(key[0], Get(transfer=key[1], blob=pull.manifest.blob, state="done"))
        self.outcomes.append(Arrived(key[0], pull.manifest.blob))

    def _give_up(self, key: tuple[str, int], pull: Pull, reason: str) -> None:
        del self._running[key]
        pull.failed(reason)
        self._say(key[0], Get(transfer=key[1], blob=pull.manifest.blob, state="failed", reason=reason))
        self.outcomes.append(PullFailed(key[0], pull.manifest.blob, reason))
