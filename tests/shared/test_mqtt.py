import os
import signal
import socket
import sys
import time

import pytest

from shared import mqtt, unsent
from shared.endpoint import Endpoint
from shared.errors import BrokerError
from shared.lifeline import end, spawn
from shared.limits import MAX_UNSENT_MESSAGES
from shared.transport import Message
from tests.brokers import Embedded
from tests.waiting import take, wait_until

MORTAL = """
import os
from shared.endpoint import Endpoint
from shared.lifeline import end_with_parent
from shared.mqtt import connect
end_with_parent()
endpoint = Endpoint(os.environ["URL"], os.environ["NAME"], os.environ["WORD"])
transport = connect(endpoint, client_id="mortal", filters=[], will=("p/mortal", b"offline"))
transport.publish("p/mortal", b"online", retain=True)
transport.receive(60)
"""


def test_a_port_where_nothing_listens_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(BrokerError, match=f"no broker at 127.0.0.1:{port}: Connection refused") as caught:
            mqtt.connect(Endpoint(f"mqtt://127.0.0.1:{port}"), client_id="c", filters=[])
    assert caught.value.remedy


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BrokerError, match="it did not answer within"):
            mqtt.connect(Endpoint(url), client_id="c", filters=[])


def test_the_will_of_a_killed_process_is_delivered(embedded_broker: Embedded) -> None:
    endpoint = embedded_broker.endpoint
    reader = embedded_broker.join("reader", ["p/#"])
    secrets = {"URL": endpoint.url, "NAME": str(endpoint.username), "WORD": str(endpoint.password)}
    log = embedded_broker.folder / "mortal.log"
    mortal = spawn([sys.executable, "-c", MORTAL], log_path=log, environment={**os.environ, **secrets})
    try:
        assert take(reader, 1) == [Message("p/mortal", b"online")]
        mortal.kill()
        assert take(reader, 1) == [Message("p/mortal", b"offline")]
    finally:
        end(mortal)
        reader.close()


def test_an_exception_in_a_callback_does_not_end_the_network_thread(
    embedded_broker: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = embedded_broker.join("c", ["t"])

    def fail(_: Message) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(transport._inbox, "offer", fail)
        transport.publish("t", b"lost")
        wait_until(lambda: transport._unsent.count() == 0, "the message went out")
        embedded_broker.join("d", []).close()  # a round trip through the broker: the message came back as well
    transport.publish("t", b"next")
    assert take(transport, 1)[-1].payload == b"next"
    transport.close()


def test_a_stalled_broker_costs_messages_not_the_loop(
    embedded_broker: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsent, "PUBLISH_SECONDS", 0.2)
    writer, reader = embedded_broker.join("writer", []), embedded_broker.join("reader", ["t"])
    process = embedded_broker.broker._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        for number in range(MAX_UNSENT_MESSAGES + 3):
            writer.publish("t", b"%d" % number)
    finally:
        process.send_signal(signal.SIGCONT)
    assert writer.dropped_messages == 3
    assert time.monotonic() - begin < 5
    assert [int(message.payload) for message in take(reader, MAX_UNSENT_MESSAGES)] == list(range(MAX_UNSENT_MESSAGES))
    assert writer.sent_bytes == reader.received_bytes
    writer.close()
    reader.close()


def test_what_was_said_during_an_outage_waits_for_its_end_up_to_a_bound(embedded_broker: Embedded) -> None:
    writer = embedded_broker.join("writer", [])
    embedded_broker.kill()
    wait_until(lambda: not writer._online.is_set(), "the outage is noticed")
    for number in range(MAX_UNSENT_MESSAGES + 3):
        writer.publish("t", bytes([number]))
        writer.publish("t", b"nobody waits for QoS 0", qos=0)
    assert writer._unsent.count() == MAX_UNSENT_MESSAGES
    assert writer.dropped_messages == 3 + MAX_UNSENT_MESSAGES + 3
    assert writer.sent_bytes["t"] == MAX_UNSENT_MESSAGES
    embedded_broker.start()
    wait_until(lambda: writer._unsent.count() == 0, "all of it is acknowledged")
    writer.close()


def test_what_was_said_before_a_goodbye_arrives(embedded_broker: Embedded) -> None:
    writer, reader = embedded_broker.join("writer", []), embedded_broker.join("reader", ["t"])
    for number in range(MAX_UNSENT_MESSAGES):
        writer.publish("t", bytes([number]) * 100_000)
    writer.close()
    assert [message.payload[0] for message in take(reader, MAX_UNSENT_MESSAGES)] == list(range(MAX_UNSENT_MESSAGES))
    reader.close()


def test_a_transport_closes_during_an_outage(embedded_broker: Embedded) -> None:
    transport = embedded_broker.join("c", [])
    embedded_broker.kill()
    transport.publish("t", b"")
    begin = time.monotonic()
    transport.close()
    assert time.monotonic() - begin < 5


def test_no_delay_is_set_on_every_socket(embedded_broker: Embedded) -> None:
    transport = embedded_broker.join("c", [])
    sock = transport._client.socket()
    assert isinstance(sock, socket.socket)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    transport.close()
