"""Messages and blobs over one transport, the same on both sides: send, serve what was offered, pull what is wanted."""

import itertools
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import Struct

from shared.blobs import BlobStore
from shared.chunks import chunks, describe, parse_chunk
from shared.crash_points import passing
from shared.errors import TransferError, WireError
from shared.messages import Get, Gone, Manifest, decode_message, encode_message
from shared.topics import Channel, Direction, Lane, coordinator_status, lane, parse_lane
from shared.transfer import Pull
from shared.transport import Message, Transport

log = logging.getLogger(__name__)

MAX_PULLS = 8
"""Transfers at once: 8 windows of 2 MiB bound what is in flight, and one slow peer blocks nobody."""


@dataclass(frozen=True, slots=True)
class Received:
    """A control message that the loop must read; ``client`` is "" for the coordinator's presence."""

    client: str
    channel: Channel
    payload: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """A pull ended: the blob is in the store, its digest verified."""

    client: str
    blob: str


@dataclass(frozen=True, slots=True)
class PullFailed:
    """A pull was given up."""

    client: str
    blob: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection was lost and is back: presence must be announced again."""


Event: TypeAlias = Received | Arrived | PullFailed | Reconnected


@dataclass(slots=True)
class _Waiting:
    client: str
    manifest: Manifest
    deadline: float


class Exchange:
    """One side's end of every lane.

    Args:
        transport: Connected and subscribed.
        federation: Its name.
        outgoing: "down" for the coordinator, "up" for an agent.
        blobs: Where offered blobs are read.
        spool: Where pulled blobs go; None puts them beside the offered ones. The coordinator keeps what clients send
            in a folder of its own: a client chooses its blob's name, and what is refused under it must be no model.
        clock: Monotonic seconds; a test passes its own.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        federation: str,
        outgoing: Direction,
        blobs: BlobStore,
        spool: BlobStore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transport = transport
        self.blobs = blobs
        self.spool = blobs if spool is None else spool
        self._federation = federation
        self._outgoing: Direction = outgoing
        self._clock = clock
        self._offered: dict[str, Manifest] = {}
        self._pulls: dict[tuple[str, int], tuple[Pull, float]] = {}
        self._waiting: deque[_Waiting] = deque()
        self._events: deque[Event] = deque()
        self._transfers = itertools.count(secrets.randbits(48))
        self._connections = transport.connections

    def offer(self, blob: str) -> Manifest:
        """Let peers pull a blob of the store; return what to tell them.

        Raises:
            TransferError: The blob is not in the store, or is larger than a manifest can describe.
        """
        if blob not in self._offered:
            self._offered[blob] = describe(self.blobs.path(blob))
        return self._offered[blob]

    def withdraw(self, blob: str) -> None:
        """Serve a blob no longer; a peer that asks hears that it is gone."""
        self._offered.pop(blob, None)

    def send(self, client: str, channel: Channel, message: Struct) -> None:
        """Send one control message at QoS 1; a status is retained, in place of the last will of an earlier connection.

        Raises:
            BrokerError: The transport is closed or refuses the message.
        """
        topic = lane(self._federation, client, self._outgoing, channel)
        passing("message.send", message)
        self.transport.publish(topic, encode_message(message), qos=1, retain=channel == "status")
        passing("message.sent", message)

    def pull(self, client: str, manifest: Manifest, *, timeout_seconds: float) -> None:
        """Begin to pull a blob from a peer's lane; asking again while it is under way changes nothing.

        Args:
            client: The agent at the other end, or the agent's own id on its side.
            manifest: What the peer said of the blob.
            timeout_seconds: Give up after this long.
        """
        active = {(peer, pull.manifest.blob) for (peer, _), (pull, _) in self._pulls.items()}
        queued = {(entry.client, entry.manifest.blob) for entry in self._waiting}
        if (client, manifest.blob) not in active | queued:
            self._waiting.append(_Waiting(client, manifest, self._clock() + timeout_seconds))

    def abandon(self, client: str | None = None) -> None:
        """Forget pulls from one client, or all of them."""
        self._pulls = {key: value for key, value in self._pulls.items() if client not in {None, key[0]}}
        self._waiting = deque(entry for entry in self._waiting if client not in {None, entry.client})

    def poll(self, timeout_seconds: float) -> Event | None:
        """Move transfers on and return the next thing the loop must know, or None when nothing came in time.

        Whatever a peer sends that breaks the protocol is logged and dropped here: it ends no loop.
        """
        if self._events:
            return self._events.popleft()
        if self.transport.connections != self._connections:
            self._connections = self.transport.connections
            for pull, _ in self._pulls.values():
                pull.reconnected(self._clock())
            return Reconnected()
        self._advance()
        if self._events:
            return self._events.popleft()
        message = self.transport.receive(self._patience(timeout_seconds))
        if message is None:
            return None
        try:
            return self._dispatch(message)
        except WireError as error:
            log.warning("dropped a message on %s: %s", message.topic, error)
            return None

    def _patience(self, timeout_seconds: float) -> float:
        """Return how long to wait for a message before a transfer needs attention."""
        now = self._clock()
        wakes = [min(pull.next_wakeup, deadline) for pull, deadline in self._pulls.values()]
        return max(0.0, min([timeout_seconds, *(wake - now for wake in wakes)]))

    def _advance(self) -> None:
        """Start waiting pulls, ask for what is due, and give up what is overdue."""
        now = self._clock()
        while self._waiting and len(self._pulls) < MAX_PULLS:
            entry = self._waiting.popleft()
            transfer = next(self._transfers)
            try:
                pull = Pull(transfer, entry.manifest, self.spool, now)
            except TransferError as error:  # the manifest contradicts itself
                self._events.append(PullFailed(entry.client, entry.manifest.blob, error.message))
                continue
            self._pulls[entry.client, transfer] = (pull, entry.deadline)
        for key, (pull, deadline) in list(self._pulls.items()):
            if pull.done:
                self._finish(key, pull)
            elif pull.failure:
                self._give_up(key, pull, pull.failure)
            elif now >= deadline:
                self._give_up(key, pull, "the transfer's deadline passed")
            elif (get := pull.next_get(now)) is not None:
                self.send(key[0], "get", get)

    def _finish(self, key: tuple[str, int], pull: Pull) -> None:
        del self._pulls[key]
        self.send(key[0], "get", Get(transfer=key[1], blob=pull.manifest.blob, state="done"))
        self._events.append(Arrived(key[0], pull.manifest.blob))

    def _give_up(self, key: tuple[str, int], pull: Pull, reason: str) -> None:
        del self._pulls[key]
        pull.failed(reason)
        failed = Get(transfer=key[1], blob=pull.manifest.blob, state="failed", reason=reason)
        self.send(key[0], "get", failed)
        self._events.append(PullFailed(key[0], pull.manifest.blob, reason))

    def _dispatch(self, message: Message) -> Event | None:
        if message.topic == coordinator_status(self._federation):
            return Received("", "status", message.payload)
        where = parse_lane(self._federation, message.topic)
        if where.channel == "get":
            self._serve(where, decode_message(message.payload, Get))
            return None
        if where.channel == "c":
            self._take(where, message.payload)
            return self._events.popleft() if self._events else None
        return Received(where.client, where.channel, message.payload)

    def _serve(self, where: Lane, get: Get) -> None:
        """Send the chunks a peer asked for."""
        if get.state != "want":
            return
        manifest = self._offered.get(get.blob)
        if manifest is None:
            self.send(where.client, "cmd" if self._outgoing == "down" else "manifest", Gone(blob=get.blob))
            return
        topic = lane(self._federation, where.client, self._outgoing, "c")
        for payload in chunks(get, manifest, self.blobs.path(get.blob)):
            passing("chunk.send", get.blob)
            self.transport.publish(topic, payload, qos=0)

    def _take(self, where: Lane, payload: bytes) -> None:
        """Give a chunk to the pull it belongs to."""
        chunk = parse_chunk(payload)
        found = self._pulls.get((where.client, chunk.transfer))
        if found is None:
            return
        pull, _ = found
        pull.accept(chunk, self._clock())
        if pull.done:
            self._finish((where.client, chunk.transfer), pull)
