"""What MQTT 5 adds where a broker has it, and that nothing is missing where it has not."""

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import mqtt
from shared.blobs import BlobStore
from shared.errors import BrokerError
from shared.exchange import Arrived, Exchange
from shared.limits import AWS_PACKET_BYTES, MAX_PACKET_BYTES
from shared.topics import agent_filters, broadcast, coordinator_filters, coordinator_status, lane
from shared.transport import Message
from tests.brokers import Embedded, Mosquitto, require_mosquitto
from tests.waiting import take, wait_until

pytestmark = pytest.mark.broker

Start = Callable[..., Mosquitto]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a mosquitto with options of its own."""
    require_mosquitto()
    started: list[Mosquitto] = []

    def _start(*options: str) -> Mosquitto:
        started.append(Mosquitto(tmp_path / str(len(started)), *options))
        return started[-1]

    yield _start
    for broker in started:
        broker.stop()


def test_it_is_spoken_where_the_broker_has_it_and_3_1_1_where_asked_for(start: Start) -> None:
    broker = start()
    auto, old = (
        mqtt.connect(dataclasses.replace(broker.endpoint, mqtt=version), client_id=version, filters=[])  # type: ignore[arg-type]
        for version in ("auto", "3.1.1")
    )
    assert (auto.version, old.version) == ("5", "3.1.1")
    auto.close()
    old.close()


def test_a_broker_that_leaves_it_unanswered_is_spoken_to_in_3_1_1(
    embedded_broker: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "MQTT5_CONNECT_SECONDS", 1.0)
    endpoint = dataclasses.replace(embedded_broker.endpoint, mqtt="auto")
    transport = mqtt.connect(endpoint, client_id="c", filters=["t"])
    assert transport.version == "3.1.1"
    transport.publish("t", b"heard")
    assert take(transport, 1) == [Message("t", b"heard")]
    transport.close()
    with pytest.raises(BrokerError, match="did not answer"):
        mqtt.connect(dataclasses.replace(endpoint, mqtt="5"), client_id="d", filters=[])


def test_a_broker_that_hangs_up_on_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def hang_up() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                heard.append(connection.recv(100))
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        endpoint = mqtt.Endpoint(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(BrokerError):
            mqtt.connect(endpoint, client_id="c", filters=[])
        thread.join(5)
    assert [packet[8] for packet in heard] == [5, 4]  # the protocol level of both attempts


def test_the_will_waits_for_a_client_that_may_come_back(start: Start) -> None:
    broker = start()
    reader = broker.join("reader", ["p/#"])
    mortal = mqtt.connect(broker.endpoint, client_id="m", filters=[], will=("p/m", b"offline"), will_delay_seconds=1)
    broker.abandon(mortal)
    assert reader.receive(0.3) is None
    assert take(reader, 1) == [Message("p/m", b"offline")]
    reader.close()


def test_a_message_that_is_not_allowed_is_counted(start: Start, tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("user federation\ntopic readwrite allowed/#\n")
    broker = start(f"acl_file {rules}")
    writer = broker.join("writer", [])
    writer.publish("allowed/t", b"")
    writer.publish("forbidden/t", b"")
    wait_until(lambda: writer.refused_messages == 1, "the broker says so")
    writer.close()


def test_packets_keep_to_what_the_broker_announces(start: Start, tmp_path: Path) -> None:
    broker = start("max_packet_size 30000")
    sender, receiver = broker.join("cloud", coordinator_filters("f")), broker.join("ana", agent_filters("f", "ana"))
    assert sender.max_packet_bytes < 30_000
    with pytest.raises(BrokerError, match="exceeds a packet's"):
        sender.publish("t", bytes(30_000))
    assert moved(sender, receiver, tmp_path, 200_000) == 200_000
    assert sender.connections == 1  # never thrown out


def test_unacknowledged_messages_keep_to_what_the_broker_announces(start: Start) -> None:
    broker = start("max_inflight_messages 3")
    writer, reader = broker.join("writer", []), broker.join("reader", ["t"])
    assert writer.announced_inflight == 3
    assert writer._client.max_inflight_messages == 3
    for number in range(40):
        writer.publish("t", bytes([number]))
    assert [message.payload[0] for message in take(reader, 40)] == list(range(40))
    assert writer.connections == 1
    writer.close()
    reader.close()


def test_the_aws_profile_keeps_its_packets_below_128_kb(start: Start, tmp_path: Path) -> None:
    broker = start(
        "max_packet_size 128000"
    )  # a broker that would throw out anything larger, and cannot say so in 3.1.1
    endpoint = dataclasses.replace(broker.endpoint, mqtt="3.1.1", profile="aws")
    sender = mqtt.connect(endpoint, client_id="cloud", filters=coordinator_filters("f"))
    receiver = mqtt.connect(endpoint, client_id="ana", filters=agent_filters("f", "ana"))
    assert sender.max_packet_bytes == AWS_PACKET_BYTES < MAX_PACKET_BYTES
    assert moved(sender, receiver, tmp_path, 1_000_000) == 1_000_000
    assert sender.connections == receiver.connections == 1


def test_topics_and_filters_keep_to_what_aws_allows() -> None:
    name = "n" * 64
    topics = [coordinator_status(name), broadcast(name, "manifest")]
    topics += [
        lane(name, name, way, channel)  # type: ignore[arg-type]
        for way in ("up", "down")
        for channel in ("cmd", "manifest", "get", "c", "status", "metrics")
    ]
    assert all(topic.count("/") <= 7 and len(topic) <= 256 for topic in topics)
    assert max(len(coordinator_filters(name)), len(agent_filters(name, name))) <= 8


def moved(sender: mqtt.MqttTransport, receiver: mqtt.MqttTransport, folder: Path, size: int) -> int:
    """Move a blob between two sides; return the bytes that came. Both are closed."""
    cloud = Exchange(sender, federation="f", outgoing="down", blobs=BlobStore(folder / "cloud"))
    edge = Exchange(receiver, federation="f", outgoing="up", blobs=BlobStore(folder / "edge"))
    manifest = cloud.offer(cloud.blobs.put(bytes(range(250)) * (size // 250)))
    edge.pull("ana", manifest, timeout_seconds=60)
    arrived: list[object] = []

    def poll() -> bool:
        cloud.poll(0.01)
        arrived.append(edge.poll(0.01))
        return isinstance(arrived[-1], Arrived)

    wait_until(poll, "the blob arrives", seconds=30)
    sender.close()
    receiver.close()
    return len(edge.blobs.get(manifest.blob))
