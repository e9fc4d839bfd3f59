import math
from pathlib import Path

import pytest

from shared.blobs import BlobStore
from shared.chunks import Chunk, parse_chunk, wave_number
from shared.errors import TransferError
from shared.limits import BROADCAST_DELAY_SECONDS, CHUNK_BYTES, MAX_SERVED_CHUNKS
from shared.memory import MemoryBroker, MemoryTransport
from shared.messages import Get, Manifest
from shared.serving import Serving
from shared.topics import broadcast, lane

KIB = 1024


class Side:
    """A sender whose network takes as much as a test allows, and what it sent."""

    def __init__(self, folder: Path, *, rate: float | None = math.inf) -> None:
        self.now = 0.0
        self.room = 10**6
        broker = MemoryBroker()
        self.listener = broker.connect(filters=["#"])
        self.listener._inbox._max_topic_bytes = self.listener._inbox._max_bytes = 10**9
        self.transport = Narrow(broker, self)
        self.blobs = BlobStore(folder)
        self.serving = Serving(
            self.transport,
            federation="f",
            outgoing="down",
            blobs=self.blobs,
            clock=lambda: self.now,
            broadcast_rate=rate,
        )

    def offer(self, chunks: int = 100) -> Manifest:
        payload = b"".join(index.to_bytes(4, "big") * (CHUNK_BYTES // 4) for index in range(chunks))
        return self.serving.offer(self.blobs.put(payload), "safetensors")

    def ask(self, manifest: Manifest, start: int, stop: int, *, client: str = "ana", transfer: int = 1) -> bool:
        get = Get(transfer=transfer, blob=manifest.blob, ranges=((start, stop),), credit=stop - start)
        return self.serving.take(client, get)

    def sent(self) -> list[tuple[str, Chunk]]:
        """Let it send all that it may; return what it sent."""
        for _ in range(1000):
            self.serving.advance()
        found = []
        while (message := self.listener.receive(0.0)) is not None:
            found.append((message.topic, parse_chunk(message.payload)))
        return found


class Narrow(MemoryTransport):
    """Takes so many messages and no more."""

    def __init__(self, broker: MemoryBroker, side: Side) -> None:
        super().__init__(broker, [], None)
        self._side = side

    def ready(self) -> bool:
        return self._side.room > 0

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self._side.room -= 1
        super().publish(topic, payload, qos=qos, retain=retain)


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


def test_what_is_asked_for_again_before_it_was_sent_is_sent_once(side: Side) -> None:
    manifest = side.offer()
    side.room = 0
    for _ in range(5):
        assert side.ask(manifest, 0, 8)
    side.room = 100
    assert [chunk.index for _, chunk in side.sent()] == list(range(8))
    assert side.ask(manifest, 0, 2)  # once sent, a repetition is a new request
    assert [chunk.index for _, chunk in side.sent()] == [0, 1]


def test_a_peer_that_asks_for_everything_waits_for_a_bounded_part_of_it(side: Side) -> None:
    manifest = side.offer()
    side.room = 0
    for transfer in range(20):
        side.ask(manifest, 0, 60, transfer=transfer)
    side.room = 10**6
    assert len(side.sent()) == MAX_SERVED_CHUNKS


def test_peers_take_turns(side: Side) -> None:
    manifest = side.offer()
    side.room = 0
    side.ask(manifest, 0, 30, client="ana")
    side.ask(manifest, 0, 3, client="ben")
    side.room = 6
    assert [topic for topic, _ in side.sent()] == [lane("f", name, "down", "c") for name in ["ana", "ben"] * 3]


def test_what_a_peer_takes_back_is_not_sent(side: Side) -> None:
    manifest = side.offer()
    side.room = 0
    side.ask(manifest, 0, 30)
    side.serving.take("ana", Get(transfer=1, blob=manifest.blob, state="failed", reason="round over"))
    side.room = 100
    assert side.sent() == []
    assert side.serving.next_wakeup() == math.inf


def test_what_is_withdrawn_is_not_sent_and_asking_says_so(side: Side) -> None:
    manifest = side.offer()
    side.room = 0
    side.ask(manifest, 0, 30)
    side.serving.broadcast(manifest.blob)
    side.serving.withdraw(manifest.blob)
    side.room = 100
    side.now = 10.0
    assert side.sent() == []
    assert not side.ask(manifest, 0, 1)


def test_a_blob_that_vanished_is_no_longer_offered(side: Side) -> None:
    manifest = side.offer()
    side.blobs.discard(manifest.blob)
    assert side.ask(manifest, 0, 1)
    assert side.sent() == []
    assert not side.ask(manifest, 0, 1)


def test_the_digests_of_a_large_blob_are_served_and_withdrawn_with_it(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chunks.MAX_CHUNKS_IN_MANIFEST", 10)
    manifest = side.offer(40)
    assert manifest.digest_list is not None
    get = Get(transfer=1, blob=manifest.digest_list, ranges=((0, 1),), credit=1)
    assert side.serving.take("ana", get)
    ((_, chunk),) = side.sent()
    assert len(chunk.data) == 16 * 40
    side.serving.broadcast(manifest.blob)
    side.now = BROADCAST_DELAY_SECONDS
    numbers = [chunk.transfer for _, chunk in side.sent()]
    assert numbers == [wave_number(manifest.digest_list)] + 40 * [wave_number(manifest.blob)]
    side.serving.withdraw(manifest.blob)
    assert not side.serving.take("ana", get)


def test_a_broadcast_keeps_its_pace_and_leaves_room_for_requests(tmp_path: Path) -> None:
    side = Side(tmp_path, rate=4.0 * CHUNK_BYTES)  # four chunks a second
    manifest = side.offer(100)
    side.serving.broadcast(manifest.blob)
    assert side.sent() == []  # its announcement goes first
    assert side.serving.next_wakeup() == BROADCAST_DELAY_SECONDS
    side.now = BROADCAST_DELAY_SECONDS
    burst = side.sent()
    assert {topic for topic, _ in burst} == {broadcast("f", "c")}
    assert 8 <= len(burst) <= 10
    assert side.now < side.serving.next_wakeup() <= side.now + 0.26
    side.ask(manifest, 0, 4)
    assert [topic for topic, _ in side.sent()] == 4 * [lane("f", "ana", "down", "c")]
    side.now += 10.0
    assert len(side.sent()) <= 10  # a pause is not made up for
    for _ in range(100):
        side.now += 1.0
        assert len(side.sent()) <= 4
    assert not side.serving.broadcasting(manifest.blob)


def test_what_is_not_offered_cannot_be_broadcast(side: Side) -> None:
    with pytest.raises(TransferError, match="not offered"):
        side.serving.broadcast("0" * 64)


@pytest.mark.parametrize(("limit", "chunk"), [(125 * KIB, 124 * KIB), (20_480, 19 * KIB), (10**6, 240 * KIB)])
def test_chunks_are_as_large_as_the_broker_allows(side: Side, limit: int, chunk: int) -> None:
    first = side.offer(3)
    side.transport.max_packet_bytes = limit
    assert side.ask(first, 0, 1) is (chunk == first.chunk)  # a manifest whose chunks no longer pass is gone
    assert side.offer(3).chunk == chunk
    assert side.ask(side.offer(3), 0, 1)
    assert len(side.sent()) >= 1  # and the transport, which checks every packet, let it pass
