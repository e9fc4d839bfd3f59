"""The sender's side: what is offered, what peers asked for and was not sent yet, and the broadcast under way."""

import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.blobs import BlobStore
from shared.chunks import (
    Chunk,
    count_chunks,
    describe_with_list,
    encode_chunk,
    list_manifest,
    read_chunk,
    wanted,
    wave_number,
)
from shared.errors import TransferError
from shared.limits import (
    BROADCAST_BURST_BYTES,
    BROADCAST_DELAY_SECONDS,
    CHUNK_BYTES,
    CHUNK_MARGIN_BYTES,
    KIB,
    MAX_SERVED_CHUNKS,
)
from shared.messages import Get, Manifest
from shared.pace import Pace
from shared.settings import Codec
from shared.topics import Direction, broadcast, lane
from shared.transport import Transport

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 16
"""Chunks sent before the loop looks at what came in."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A blob that peers may pull: what they are told of it, and where its bytes are."""

    manifest: Manifest
    source: Path | bytes


_Request = tuple[str, int, str]
"""Whose it is, its transfer number, and the blob."""


class Serving:
    """Answers requests, peers in turn, and paces a broadcast beside them.

    A request for what already waits to be sent adds nothing, so a peer that asks again on a slow link costs no byte
    twice, and a peer that asks for everything at once holds ``MAX_SERVED_CHUNKS`` at most.

    Args:
        transport: Connected.
        federation: Its name.
        outgoing: "down" for the coordinator, "up" for an agent.
        blobs: Where offered blobs are read.
        clock: Monotonic seconds.
        broadcast_rate: Bytes per second of a broadcast; None for a side that never broadcasts.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        federation: str,
        outgoing: Direction,
        blobs: BlobStore,
        clock: Callable[[], float],
        broadcast_rate: float | None = None,
    ) -> None:
        self.broadcasts = broadcast_rate is not None
        self._transport = transport
        self._federation = federation
        self._outgoing: Direction = outgoing
        self._blobs = blobs
        self._clock = clock
        self._offers: dict[str, _Offer] = {}
        self._requests: dict[_Request, dict[int, None]] = {}
        self._wave: deque[tuple[str, int]] = deque()
        self._wave_blob = ""
        self._wave_at = 0.0
        self._pace = Pace(broadcast_rate or 0.0, burst=BROADCAST_BURST_BYTES, now=clock())

    def offer(self, blob: str, codec: Codec) -> Manifest:
        """Let peers pull a blob; describe it anew when the broker has come to accept less.

        Raises:
            TransferError: The blob is not in the store, or has too many chunks.
        """
        known = self._offers.get(blob)
        if known is None or self._too_large(known.manifest):
            path = self._blobs.path(blob)
            manifest, digests = describe_with_list(path, chunk=self._chunk_bytes(), codec=codec)
            known = self._offers[blob] = _Offer(manifest, path)
            if manifest.digest_list is not None:
                self._offers[manifest.digest_list] = _Offer(list_manifest(manifest), digests)
        return known.manifest

    def withdraw(self, blob: str) -> None:
        """Serve a blob no longer; what waits to be sent of it is forgotten."""
        offer = self._offers.pop(blob, None)
        gone = {blob}
        if offer is not None and offer.manifest.digest_list is not None:
            self._offers.pop(offer.manifest.digest_list, None)
            gone.add(offer.manifest.digest_list)
        self._requests = {key: chunks for key, chunks in self._requests.items() if key[2] not in gone}
        if self._wave_blob in gone:
            self._wave.clear()

    def take(self, client: str, get: Get) -> bool:
        """Take a peer's word; False when it asks for what is not offered.

        Raises:
            TransferError: It asks for chunks that do not exist.
        """
        key = (client, get.transfer, get.blob)
        if get.state != "want":
            self._requests.pop(key, None)
            return True
        offer = self._offers.get(get.blob)
        if offer is None or self._too_large(offer.manifest):
            return False
        fresh = wanted(get, offer.manifest)
        waiting = sum(len(chunks) for (peer, *_), chunks in self._requests.items() if peer == client)
        queue = self._requests.setdefault(key, {})
        for index in fresh:
            if waiting >= MAX_SERVED_CHUNKS:
                break
            waiting += index not in queue
            queue[index] = None
        if not queue:
            del self._requests[key]
        return True

    def broadcast(self, blob: str) -> None:
        """Send every chunk of an offered blob to everybody, the list of digests first where there is one.

        Raises:
            TransferError: The blob is not offered.
        """
        if blob not in self._offers:
            raise TransferError(f"blob {blob[:12]} is not offered, so it cannot be broadcast")
        manifest = self._offers[blob].manifest
        parts = [manifest] if manifest.digest_list is None else [list_manifest(manifest), manifest]
        self._wave_blob = blob
        self._wave_at = self._clock() + BROADCAST_DELAY_SECONDS
        self._wave = deque((part.blob, index) for part in parts for index in range(count_chunks(part)))

    def broadcasting(self, blob: str) -> bool:
        """Tell whether chunks of a blob are still to be broadcast."""
        return bool(self._wave) and self._wave_blob == blob

    def advance(self) -> None:
        """Send what the network takes now, a few chunks at most."""
        for _ in range(_AT_ONCE):
            if not (self._requests or self._wave) or not self._transport.ready():
                return
            if not (self._send_requested() | self._send_wave()):
                return

    def next_wakeup(self) -> float:
        """Return the monotonic seconds at which ``advance`` can send, where no peer's word is waited for."""
        if not (self._requests or self._wave) or not self._transport.ready():
            return math.inf  # the transport wakes its reader when there is room again
        return -math.inf if self._requests else max(self._wave_at, self._pace.ready_at(self._clock()))

    def _send_requested(self) -> bool:
        """Send one chunk of the peer whose turn it is; the next peer's turn comes then."""
        if not self._requests:
            return False
        key = next(iter(self._requests))
        queue = self._requests.pop(key)
        client, transfer, blob = key
        index = next(iter(queue))
        del queue[index]
        if self._send(lane(self._federation, client, self._outgoing, "c"), transfer, blob, index) and queue:
            self._requests[key] = queue
        return True

    def _send_wave(self) -> bool:
        if not self._wave or self._clock() < self._wave_at:
            return False
        blob, index = self._wave[0]
        offer = self._offers.get(blob)
        if offer is not None and not self._pace.take(offer.manifest.chunk, self._clock()):
            return False
        self._wave.popleft()
        if not self._send(broadcast(self._federation, "c"), wave_number(blob), blob, index):
            self._wave.clear()
        return True

    def _send(self, topic: str, transfer: int, blob: str, index: int) -> bool:
        """Send one chunk; False where the blob is no longer what was offered, which its peers then hear."""
        offer = self._offers.get(blob)
        if offer is None:
            return False
        try:
            data = read_chunk(offer.source, offer.manifest, index)
        except TransferError as error:
            _log.warning("%s", error)
            self.withdraw(blob)
            return False
        self._transport.publish(topic, encode_chunk(Chunk(transfer, index, data)), qos=0)
        return True

    def _chunk_bytes(self) -> int:
        """Return the chunk size that broker and setting allow."""
        return min(CHUNK_BYTES, (self._transport.max_packet_bytes - CHUNK_MARGIN_BYTES) // KIB * KIB)

    def _too_large(self, manifest: Manifest) -> bool:
        return manifest.chunk + CHUNK_MARGIN_BYTES > max(self._transport.max_packet_bytes, KIB + CHUNK_MARGIN_BYTES)
