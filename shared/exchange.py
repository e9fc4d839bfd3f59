"""Messages and blobs over one transport, the same on both sides: send, serve what was offered, pull what is wanted."""

import logging
import time
from collections.abc import Callable, Collection

from msgspec import Struct

from shared.blobs import BlobStore
from shared.chunks import parse_chunk
from shared.crash_points import passing
from shared.errors import WireError
from shared.events import Arrived, Event, PullFailed, Received, Reconnected
from shared.messages import Get, Gone, Manifest, decode_message, encode_message
from shared.pulling import Pulling
from shared.serving import Serving
from shared.settings import Codec
from shared.topics import Channel, Direction, Lane, broadcast, coordinator_status, lane, parse_lane
from shared.transport import Message, Transport

__all__ = ["Arrived", "Event", "Exchange", "PullFailed", "Received", "Reconnected"]

log = logging.getLogger(__name__)


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
        quota_bytes: What one peer may have on its way here at once, on disk; None for no limit.
        broadcast_rate: Bytes per second of a broadcast; None answers every receiver on its own lane.
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
        quota_bytes: int | None = None,
        broadcast_rate: float | None = None,
    ) -> None:
        self.transport = transport
        self.blobs = blobs
        self.spool = blobs if spool is None else spool
        self.serving = Serving(
            transport,
            federation=federation,
            outgoing=outgoing,
            blobs=blobs,
            clock=clock,
            broadcast_rate=broadcast_rate,
        )
        self._pulling = Pulling(
            self.spool,
            clock=clock,
            quota_bytes=quota_bytes,
            say=lambda client, get: self.send(client, "get", get),
        )
        self._federation = federation
        self._outgoing: Direction = outgoing
        self._clock = clock
        self._connections = transport.connections

    def offer(self, blob: str, *, codec: Codec = "safetensors") -> Manifest:
        """Let peers pull a blob of the store; return what to tell them.

        Raises:
            TransferError: The blob is not in the store, or is larger than can be sent.
        """
        return self.serving.offer(blob, codec)

    def withdraw(self, blob: str) -> None:
        """Serve a blob no longer; a peer that asks hears that it is gone."""
        self.serving.withdraw(blob)

    def send(self, client: str, channel: Channel, message: Struct) -> None:
        """Send one control message at QoS 1; a status is retained, in place of the last will of an earlier connection.

        Raises:
            BrokerError: The transport is closed or refuses the message.
        """
        topic = lane(self._federation, client, self._outgoing, channel)
        passing("message.send", message)
        self.transport.publish(topic, encode_message(message), qos=1, retain=channel == "status")
        passing("message.sent", message)

    def pull(self, client: str, manifest: Manifest, *, timeout_seconds: float, wave: bool = False) -> None:
        """Begin to pull a blob from a peer's lane; asking again while it is under way changes nothing.

        Args:
            client: The agent at the other end, or the agent's own id on its side.
            manifest: What the peer said of the blob.
            timeout_seconds: Give up after this long.
            wave: A broadcast of it is under way: listen first.
        """
        self._pulling.begin(client, manifest, timeout_seconds=timeout_seconds, wave=wave)

    def abandon(self, client: str | None = None, *, keep: Collection[str] = ()) -> None:
        """Forget pulls from one client, or all of them, and what came of their blobs.

        Args:
            client: None for all.
            keep: Blobs whose pulls go on.
        """
        self._pulling.abandon(client, keep)

    def forget(self, blob: str, *, client: str | None = None) -> None:
        """Stop pulling a blob that its sender no longer has; what came of it waits on disk for another attempt.

        Args:
            blob: The blob, or its list of digests.
            client: Only from this one.
        """
        self._pulling.forget(blob, client)

    def returned(self, client: str) -> None:
        """Ask a peer again at once: it is a new process, which has forgotten what it had been asked for.

        Not for one that only connected anew: what it sent before may still be under way through the broker.
        """
        self._pulling.reconnected(client)

    def clear_spool(self) -> None:
        """Remove whatever pulls left, where nothing of it is needed: before a round, also after a kill."""
        if self.spool is not self.blobs:
            self.spool.clear()

    def poll(self, timeout_seconds: float) -> Event | None:
        """Move transfers on and return the next thing the loop must know, or None when nothing came in time.

        Whatever a peer sends that breaks the protocol is logged and dropped here: it ends no loop.
        """
        if self.transport.connections != self._connections:
            self._connections = self.transport.connections
            self._pulling.reconnected()
            return Reconnected()
        if not self._pulling.outcomes:
            self._pulling.advance()
            self.serving.advance()
        if self._pulling.outcomes:
            return self._pulling.outcomes.popleft()
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
        wake = min(self._pulling.next_wakeup(), self.serving.next_wakeup())
        return max(0.0, min(timeout_seconds, wake - self._clock()))

    def _dispatch(self, message: Message) -> Event | None:
        if message.topic == coordinator_status(self._federation):
            return Received("", "status", message.payload)
        if message.topic == broadcast(self._federation, "c"):
            self._pulling.overhear(parse_chunk(message.payload))
            return self._outcome()
        where = parse_lane(self._federation, message.topic)
        if where.channel == "get":
            self._serve(where, decode_message(message.payload, Get))
            return None
        if where.channel == "c":
            self._pulling.take(where.client, parse_chunk(message.payload))
            return self._outcome()
        return Received(where.client, where.channel, message.payload)

    def _outcome(self) -> Event | None:
        return self._pulling.outcomes.popleft() if self._pulling.outcomes else None

    def _serve(self, where: Lane, get: Get) -> None:
        """Send what a peer asked for, or say that it is gone."""
        if not self.serving.take(where.client, get):
            self.send(where.client, "cmd" if self._outgoing == "down" else "manifest", Gone(blob=get.blob))
        self.serving.advance()
