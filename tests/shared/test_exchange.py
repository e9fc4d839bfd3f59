import dataclasses
import math
from pathlib import Path

import msgspec
import pytest

from shared.blobs import BlobStore
from shared.chunks import Chunk, encode_chunk, wave_number
from shared.errors import TransferError
from shared.exchange import Arrived, Event, Exchange, PullFailed, Received, Reconnected
from shared.limits import MAX_PULLS, STALLED_SECONDS
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
            spool=BlobStore(folder / "spool"),
            clock=lambda: self.now,
            quota_bytes=5_000_000,
            broadcast_rate=math.inf,
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


def test_a_peer_that_returned_is_asked_again_at_once(pair: Pair) -> None:
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    pair.edge.poll(0.0)
    while pair.cloud.transport.receive(0.0) is not None:  # the request dies with the peer
        pass
    pair.edge.returned("ben")
    assert all(pair.edge.poll(0.0) is None and pair.cloud.poll(0.0) is None for _ in range(20))
    pair.edge.returned("ana")
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


def test_what_was_on_its_way_goes_on_in_a_new_process(pair: Pair, tmp_path: Path) -> None:
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)

    def marked() -> int:
        return sum(sum(marks.read_bytes()) for marks in (tmp_path / "edge").glob(f"{manifest.blob}.*.marks"))

    while marked() < 6:
        pair.edge.poll(0.0)
        pair.cloud.poll(0.0)
    before = pair.edge.transport.received_bytes["fl/v1/f/a/ana/down/c"]
    pair.edge.transport.close()
    pair.edge = Exchange(
        pair.broker.connect(filters=agent_filters("f", "ana")),
        federation="f",
        outgoing="up",
        blobs=BlobStore(tmp_path / "edge"),
        clock=lambda: pair.now,
    )
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    assert pair.until(Arrived) == Arrived("ana", manifest.blob)
    received = before + pair.edge.transport.received_bytes["fl/v1/f/a/ana/down/c"]
    assert received < 3_000_000 + 8 * manifest.chunk  # what was under way at the death, and no chunk more


def test_a_broadcast_reaches_everybody_and_a_late_one_pulls(pair: Pair, tmp_path: Path) -> None:
    manifest = offer(pair)
    others = [
        Exchange(
            pair.broker.connect(filters=agent_filters("f", name)),
            federation="f",
            outgoing="up",
            blobs=BlobStore(tmp_path / name),
            clock=lambda: pair.now,
        )
        for name in ("ben", "cid")
    ]
    late, sides = others[1], [pair.cloud, pair.edge, others[0]]
    for name, side in (("ana", pair.edge), ("ben", others[0])):
        side.pull(name, manifest, timeout_seconds=60, wave=True)
    pair.cloud.serving.broadcast(manifest.blob)
    pair.now = 1.0
    arrived = [event for _ in range(60) for side in sides if (event := side.poll(0.0)) is not None]
    assert {(type(event), event.client) for event in arrived} == {(Arrived, "ana"), (Arrived, "ben")}
    assert not any(topic.endswith("/down/c") for topic in pair.cloud.transport.sent_bytes)
    late.pull("cid", manifest, timeout_seconds=60, wave=True)
    pair.now = 4.0  # it listened in vain
    for _ in range(60):
        pair.cloud.poll(0.0)
        late.poll(0.0)
    assert manifest.blob in late.blobs


def test_what_one_peer_may_have_under_way_is_bounded(pair: Pair) -> None:
    manifests = [pair.edge.offer(pair.edge.blobs.put(bytes([number]) * 3_000_000)) for number in range(2)]
    for manifest in manifests:
        pair.cloud.pull("ana", manifest, timeout_seconds=60)
    failed = pair.cloud.poll(0.0)
    assert failed == PullFailed("ana", manifests[1].blob, "quota: more than 5000000 bytes of ana would be under way")
    pair.cloud.pull("ben", manifests[1], timeout_seconds=60)  # another peer has a quota of its own
    assert pair.until(Arrived) == Arrived("ana", manifests[0].blob)


def test_stalled_pulls_make_room_for_one_that_waits(pair: Pair) -> None:
    for number in range(MAX_PULLS):
        dead = pair.edge.offer(pair.edge.blobs.put(bytes([number]) * 1000))
        pair.cloud.pull(f"dead-{number}", dead, timeout_seconds=600)
    manifest = pair.edge.offer(pair.edge.blobs.put(bytes(3_000_000)))
    pair.cloud.pull("ana", manifest, timeout_seconds=600)
    for _ in range(10):
        pair.cloud.poll(0.0)
        pair.edge.poll(0.0)
    assert manifest.blob not in pair.cloud.spool
    pair.now = STALLED_SECONDS
    assert pair.until(Arrived) == Arrived("ana", manifest.blob)


def test_what_is_gone_is_forgotten_and_another_attempt_goes_on_from_the_disk(pair: Pair) -> None:
    manifest = offer(pair)
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    for _ in range(8):
        pair.edge.poll(0.0)
        pair.cloud.poll(0.0)
    pair.edge.forget(manifest.blob)
    assert all(pair.edge.poll(0.0) is None for _ in range(40))
    assert sum(sum(marks.read_bytes()) for marks in pair.edge.blobs.folder.glob(f"{manifest.blob}.*.marks")) > 0
    pair.edge.abandon()  # nothing is under way any more
    pair.edge.pull("ana", manifest, timeout_seconds=60)
    assert pair.until(Arrived) == Arrived("ana", manifest.blob)


def test_what_is_abandoned_leaves_the_disk_and_what_is_kept_goes_on(pair: Pair) -> None:
    kept, dropped = offer(pair), offer(pair, 2_000_000)
    for manifest in (kept, dropped):
        pair.edge.pull("ana", manifest, timeout_seconds=60)
    for _ in range(8):
        pair.edge.poll(0.0)
        pair.cloud.poll(0.0)
    pair.edge.abandon(keep={kept.blob})
    assert pair.until(Arrived) == Arrived("ana", kept.blob)
    assert [path.name for path in pair.edge.blobs.folder.iterdir()] == [kept.blob]


def test_chunks_of_an_earlier_rounds_blob_change_nothing(pair: Pair) -> None:
    old, new = offer(pair), offer(pair, 2_999_999)
    replayed = [
        encode_chunk(Chunk(transfer, index, bytes(240 * 1024)))
        for index in range(12)
        for transfer in (wave_number(old.blob), wave_number(new.blob), 1)
    ]
    pair.edge.pull("ana", new, timeout_seconds=60)
    stranger = pair.broker.connect(filters=[])
    for payload in replayed:
        stranger.publish("fl/v1/f/bcast/c", payload)
        stranger.publish("fl/v1/f/a/ana/down/c", payload)
    assert pair.until(Arrived) == Arrived("ana", new.blob)
    assert old.blob not in pair.edge.blobs


def test_a_manifest_with_chunks_of_another_size_replaces_the_one_under_way(pair: Pair) -> None:
    first = offer(pair)
    pair.edge.pull("ana", first, timeout_seconds=60)
    pair.edge.poll(0.0)
    pair.cloud.transport.max_packet_bytes = 125 * 1024
    second = pair.cloud.offer(first.blob)
    assert second.chunk < first.chunk
    pair.edge.pull("ana", second, timeout_seconds=60)
    assert pair.until(Arrived) == Arrived("ana", first.blob)
