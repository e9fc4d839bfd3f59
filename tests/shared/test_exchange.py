import dataclasses
from pathlib import Path

import msgspec
import pytest

from shared.blobs import BlobStore
from shared.errors import TransferError
from shared.exchange import Arrived, Event, Exchange, PullFailed, Received, Reconnected
from shared.memory import MemoryBroker
from shared.messages import Gone, Manifest, decode_message
from shared.topics import agent_filters, coordinator_filters


class Pair:
    """A coordinator's and an agent's exchange over one broker in memory, with a clock that tests move."""

    def __init__(self, folder: Path) -> None:
        self.broker = MemoryBroker()
        self.now = 0.0
        self.cloud = Exchange(
            self.broker.connect(filters=coordinator_filters("f")),
            federation="f",
            outgoing="down",
            blobs=BlobStore(folder / "cloud"),
            clock=lambda: self.now,
        )
        self.edge = Exchange(
            self.broker.connect(filters=agent_filters("f", "ana")),
            federation="f",
            outgoing="up",
            blobs=BlobStore(folder / "edge"),
            clock=lambda: self.now,
        )

    def until(self, kind: type[Event], *, polls: int = 200) -> Event:
        """Poll both sides until one of them reports an event of this kind."""
        for _ in range(polls):
            for side in (self.edge, self.cloud):
                event = side.poll(0.0)
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"no {kind.__name__} in {polls} polls")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def offer(pair: Pair, size: int = 3_000_000) -> Manifest:
    return pair.cloud.offer(pair.cloud.blobs.put(bytes(size)))


def test_an_offered_blob_is_pulled_and_reported_once(pair: Pair) -> None:
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    assert pair.until(Arrived) == Arrived("ana", manifest.blob)
    assert pair.edge.blobs.get(manifest.blob) == bytes(3_000_000)
    assert all(pair.edge.poll(0.0) is None for _ in range(20))


def test_a_pull_goes_on_after_a_reconnect(pair: Pair) -> None:
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    pair.edge.poll(0.0)
    while pair.cloud.transport.receive(0.0) is not None:  # the request is lost with the connection
        pass
    pair.broker.restart()
    assert pair.until(Reconnected) == Reconnected()
    assert pair.until(Arrived) == Arrived("ana", manifest.blob)


def test_a_pull_past_its_deadline_is_given_up_and_says_why(pair: Pair) -> None:
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    pair.edge.poll(0.0)
    pair.now = 61.0
    assert pair.until(PullFailed) == PullFailed("ana", manifest.blob, "the transfer's deadline passed")


def test_a_manifest_that_lies_about_its_digest_fails_at_once(pair: Pair) -> None:
    manifest = offer(pair)
    lie = msgspec.structs.replace(manifest, blob="0" * 64)
    offers = pair.cloud.serving._offers
    offers[lie.blob] = dataclasses.replace(offers[manifest.blob], manifest=lie)
    pair.edge.pull("ana", lie, timeout_seconds=60)
    event = pair.until(PullFailed)
    assert isinstance(event, PullFailed)
    assert "the manifest said 000000000000" in event.reason
    assert lie.blob not in pair.edge.blobs


def test_a_manifest_that_contradicts_itself_fails_the_pull_and_not_the_loop(pair: Pair) -> None:
    manifest = msgspec.structs.replace(offer(pair), size=5)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    event = pair.until(PullFailed)
    assert isinstance(event, PullFailed)
    assert "lists 13 chunks" in event.reason


def test_a_blob_that_is_no_longer_offered_is_answered_with_gone(pair: Pair) -> None:
    manifest = offer(pair)
    pair.cloud.withdraw(manifest.blob)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    event = pair.until(Received)
    assert isinstance(event, Received)
    assert decode_message(event.payload, Gone) == Gone(blob=manifest.blob)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("fl/v1/f/a/ana/up/get", b"{}"),
        ("fl/v1/f/a/ana/up/get", b'{"transfer":1,"blob":"' + b"0" * 64 + b'","ranges":[[0,9]],"credit":9,"x":1}'),
        ("fl/v1/f/a/ana/up/c", b"short"),
        ("fl/v1/f/a/ana/up/c", b"\x01" + bytes(15) + b"a chunk nobody asked for"),
        ("fl/v1/f/a/ana/up/nonsense", b""),
        ("fl/v1/f/a/../up/cmd", b""),
    ],
)
def test_a_hostile_message_is_dropped_and_the_loop_goes_on(pair: Pair, topic: str, payload: bytes) -> None:
    stranger = pair.broker.connect(filters=[])
    stranger.publish(topic, payload)
    assert pair.cloud.poll(0.0) is None
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    pair.until(Arrived)


def test_a_blob_that_is_not_there_cannot_be_offered(pair: Pair) -> None:
    with pytest.raises(TransferError):
        pair.cloud.offer("0" * 64)
