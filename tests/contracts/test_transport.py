"""Every transport keeps the same laws: in memory, over the embedded broker, over a real mosquitto."""

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from shared.blobs import BlobStore
from shared.chunks import chunks, describe, parse_chunk
from shared.errors import BrokerError
from shared.limits import MAX_PACKET_BYTES
from shared.messages import Get, decode_message, encode_message
from shared.mqtt import connect
from shared.topics import agent_filters, broadcast, coordinator_filters, lane
from shared.transfer import Pull
from shared.transport import Message, Transport
from tests.brokers import BrokerUnderTest, Embedded, Memory, Mosquitto, Will, require_mosquitto
from tests.waiting import take, wait_until

Join = Callable[..., Transport]


SERVERS = ["embedded", pytest.param("mosquitto", marks=pytest.mark.broker)]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedded | Mosquitto]:
    """A broker in a process of its own."""
    if request.param == "mosquitto":
        require_mosquitto()
    process = Mosquitto(tmp_path) if request.param == "mosquitto" else Embedded(tmp_path)
    yield process
    process.stop()


@pytest.fixture(params=["memory", *SERVERS])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerUnderTest]:
    """Any of the three."""
    if request.param == "memory":
        yield Memory()
        return
    if request.param == "mosquitto":
        require_mosquitto()
    process = Mosquitto(tmp_path) if request.param == "mosquitto" else Embedded(tmp_path)
    yield process
    process.stop()


@pytest.fixture
def join(broker: BrokerUnderTest) -> Iterator[Join]:
    """Connect clients that are closed after the test."""
    joined: list[Transport] = []

    def _join(client_id: str, filters: Sequence[str], will: Will = None) -> Transport:
        joined.append(broker.join(client_id, filters, will))
        return joined[-1]

    yield _join
    for transport in joined:
        transport.close()


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_of_one_topic_and_qos_keep_their_order(join: Join, qos: int) -> None:
    reader, writer = join("reader", ["t/#"]), join("writer", [])
    for number in range(200):
        writer.publish("t/a", str(number).encode(), qos=qos)
    assert [int(message.payload) for message in take(reader, 200)] == list(range(200))


def test_a_lane_is_read_by_its_own_agent_only(join: Join) -> None:
    ana, ben = join("ana", agent_filters("f", "ana")), join("ben", agent_filters("f", "ben"))
    stranger = join("ana-of-g", agent_filters("g", "ana"))
    coordinator = join("coordinator", coordinator_filters("f"))
    coordinator.publish(lane("f", "ana", "down", "cmd"), b"for ana")
    ben.publish(lane("f", "ben", "up", "manifest"), b"from ben")
    coordinator.publish(broadcast("f", "cmd"), b"for all of f")
    assert [message.payload for message in take(ana, 2)] == [b"for ana", b"for all of f"]
    assert take(ben, 1) == [Message("fl/v1/f/bcast/cmd", b"for all of f")]
    assert take(coordinator, 1) == [Message("fl/v1/f/a/ben/up/manifest", b"from ben")]
    coordinator.publish(broadcast("g", "cmd"), b"for all of g")
    assert [message.payload for message in take(stranger, 1)] == [b"for all of g"]
    assert ana.receive(0) is None
    assert ben.receive(0) is None


def test_what_is_retained_reaches_only_those_who_subscribed_to_it(join: Join) -> None:
    coordinator = join("coordinator", coordinator_filters("f"))
    ana = join("ana", agent_filters("f", "ana"))
    ana.publish(lane("f", "ana", "up", "status"), b"online", retain=True)
    take(coordinator, 1)
    ben = join("ben", agent_filters("f", "ben"))
    coordinator.publish(lane("f", "ben", "down", "cmd"), b"for ben")
    assert [message.payload for message in take(ben, 1)] == [b"for ben"]


def test_a_late_reader_gets_what_was_retained_and_an_empty_message_clears_it(join: Join) -> None:
    writer, witness = join("writer", []), join("witness", ["s/#"])
    writer.publish("s/old", b"gone", retain=True)
    writer.publish("s/old", b"", retain=True)
    writer.publish("s/now", b"here", retain=True)
    writer.publish("s/now", b"not retained")
    take(witness, 4)
    late = join("late", ["s/#"])
    assert take(late, 1) == [Message("s/now", b"here")]
    writer.publish("s/now", b"next")
    assert take(late, 1) == [Message("s/now", b"next")]


def test_the_will_of_a_client_that_dies_is_delivered_and_retained(broker: BrokerUnderTest, join: Join) -> None:
    reader = join("reader", ["p/#"])
    mortal = join("mortal", [], ("p/mortal", b"offline"))
    mortal.publish("p/mortal", b"online", retain=True)
    assert take(reader, 1) == [Message("p/mortal", b"online")]
    broker.abandon(mortal)
    assert take(reader, 1) == [Message("p/mortal", b"offline")]
    assert take(join("late", ["p/#"]), 1) == [Message("p/mortal", b"offline")]


def test_the_will_of_a_client_that_says_goodbye_is_not_delivered(join: Join) -> None:
    reader, writer = join("reader", ["p/#"]), join("writer", [])
    polite = join("polite", [], ("p/polite", b"offline"))
    polite.publish("p/polite", b"bye")
    polite.close()
    assert take(reader, 1) == [Message("p/polite", b"bye")]
    writer.publish("p/end", b"")
    assert take(reader, 1) == [Message("p/end", b"")]


def test_subscriptions_outlive_a_killed_broker_and_the_reconnect_is_counted(
    broker: BrokerUnderTest, join: Join
) -> None:
    reader, writer = join("reader", ["t/#", "u/+"]), join("writer", ["w"])
    before = reader.connections, writer.connections
    broker.restart()
    wait_until(lambda: reader.connections > before[0] and writer.connections > before[1], "both are connected again")
    writer.publish("t/a", b"1")
    writer.publish("u/b", b"2")
    assert [message.payload for message in take(reader, 2)] == [b"1", b"2"]


def test_publishing_during_an_outage_neither_raises_nor_hangs(server: Embedded | Mosquitto) -> None:
    writer, reader = server.join("writer", []), server.join("reader", ["t/#"])
    server.kill()
    for number in range(300):
        writer.publish("t/a", b"%d" % number, qos=number % 2)
    server.start()
    wait_until(lambda: writer.connections > 1 and reader.connections > 1, "both are connected again")
    wait_until(lambda: writer.publish("t/end", b"") or reader.receive(0.05) is not None, "messages pass again")
    writer.close()
    reader.close()


@pytest.mark.parametrize(
    "change", [{"password": "wrong"}, {"username": "nobody"}, {"username": None, "password": None}]
)
def test_wrong_and_missing_credentials_are_refused_in_one_line(
    server: Embedded | Mosquitto, change: dict[str, str | None]
) -> None:
    endpoint = dataclasses.replace(server.endpoint, **change)
    with pytest.raises(BrokerError, match=f"broker at {endpoint.address()} .* refused the connection") as caught:
        connect(endpoint, client_id="stranger", filters=["#"])
    assert "join file" in caught.value.remedy


def test_an_oversize_message_is_refused_before_it_is_published(join: Join) -> None:
    reader, writer = join("reader", ["t/#"]), join("writer", [])
    with pytest.raises(BrokerError, match="exceeds a packet's 262144"):
        writer.publish("t/a", bytes(MAX_PACKET_BYTES))
    writer.publish("t/a", bytes(MAX_PACKET_BYTES - 12))  # 1 type, 4 length, 2 + 3 topic, 2 packet id
    assert len(take(reader, 1)[0].payload) == MAX_PACKET_BYTES - 12
    assert writer.sent_bytes["t/a"] == MAX_PACKET_BYTES - 12


def test_payload_bytes_are_counted_by_topic_at_both_ends(join: Join) -> None:
    reader, writer = join("reader", ["t/#"]), join("writer", [])
    for size in (3, 0, 40):
        writer.publish("t/a", bytes(size))
    writer.publish("t/b", bytes(7), qos=0)
    take(reader, 4)
    assert writer.sent_bytes == reader.received_bytes == {"t/a": 43, "t/b": 7}
    assert not writer.received_bytes
    assert not reader.sent_bytes


def test_a_closed_transport_refuses_to_publish_and_closes_again(join: Join) -> None:
    writer = join("writer", [])
    writer.close()
    writer.close()
    with pytest.raises(BrokerError, match="closed"):
        writer.publish("t/a", b"")


def test_a_blob_is_pulled_whole_though_chunks_are_lost_and_the_broker_dies(
    broker: BrokerUnderTest, join: Join, tmp_path: Path
) -> None:
    source, target = BlobStore(tmp_path / "source"), BlobStore(tmp_path / "target")
    payload = random.Random(5).randbytes(2_000_000)
    manifest = describe(source.path(source.put(payload)))
    sender, receiver = join("sender", ["get"]), join("receiver", ["c"])
    now, answers = 0.0, 0
    pull, connections = Pull(7, manifest, target, now), receiver.connections
    while not pull.done:
        if receiver.connections != connections:
            connections = receiver.connections
            pull.reconnected(now)
        if (get := pull.next_get(now)) is not None:
            receiver.publish("get", encode_message(get))
        request, chunk = sender.receive(0.002), receiver.receive(0.002)
        if request is not None:
            for answer in chunks(decode_message(request.payload, Get), manifest, source.path(manifest.blob)):
                answers += 1
                if answers % 3:  # every third is lost
                    sender.publish("c", answer, qos=0)
                if answers == 5:
                    broker.restart()
        if chunk is not None:
            pull.accept(parse_chunk(chunk.payload), now)
        now += 0.1 if request is chunk is None else 0.0  # time passes faster than on the clock while nothing comes
        assert now < 1000
    assert target.get(manifest.blob) == payload
    assert receiver.received_bytes["c"] < 3 * len(payload)
