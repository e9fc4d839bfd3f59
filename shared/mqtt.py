"""The transport over MQTT 3.1.1 with paho: callbacks only enqueue, everything has a bound, reconnects are for ever.

MQTT 3.1.1 is spoken everywhere: every broker has it, and the embedded one leaves an MQTT 5 CONNECT unanswered for ever.
"""

import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from shared.endpoint import Endpoint
from shared.errors import BrokerError
from shared.inbox import Inbox
from shared.limits import (
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    KEEPALIVE_SECONDS,
    MAX_INFLIGHT,
    MAX_RECONNECT_SECONDS,
    MAX_UNSENT_MESSAGES,
    PUBLISH_SECONDS,
)
from shared.packet import check_packet_size
from shared.transport import Message

_log = logging.getLogger(__name__)


def connect(
    endpoint: Endpoint, *, client_id: str, filters: Sequence[str], will: tuple[str, bytes] | None = None
) -> "MqttTransport":
    """Connect and subscribe; when this returns, no message to ``filters`` is missed any more.

    Args:
        endpoint: The broker.
        client_id: Unique at the broker; a second connection with it ends the first.
        filters: Topic filters, subscribed with QoS 1 now and after every reconnect.
        will: Topic and payload that the broker publishes, retained, when this client dies without a goodbye.

    Raises:
        BrokerError: The URL does not parse, the broker cannot be reached or does not answer within
            ``CONNECT_SECONDS``, or it refuses the credentials or a filter.
    """
    transport = MqttTransport(endpoint, client_id=client_id, filters=filters, will=will)
    transport.open()
    return transport


class MqttTransport:
    """A ``Transport`` over one MQTT connection, made by ``connect``.

    Attributes:
        sent_bytes: Payload bytes handed to the network, by topic.
        received_bytes: Payload bytes received and read, by topic.
        connections: How often the subscriptions were (re)made.
        dropped_messages: Messages not sent because the network took none; whoever needs them asks again.
    """

    def __init__(
        self, endpoint: Endpoint, *, client_id: str, filters: Sequence[str], will: tuple[str, bytes] | None
    ) -> None:
        self.sent_bytes: Counter[str] = Counter()
        self.connections = 0
        self.dropped_messages = 0
        self._inbox = Inbox()
        self.received_bytes = self._inbox.received_bytes
        self._address = endpoint.address()
        self._filters = list(filters)
        self._unsent: list[paho.MQTTMessageInfo] = []
        self._sending = threading.Lock()
        self._room = threading.Event()
        self._online = threading.Event()
        self._answered = threading.Event()
        self._refusal = ""
        self._closed = False
        self._client = self._make_client(endpoint, client_id, will)

    def _make_client(self, endpoint: Endpoint, client_id: str, will: tuple[str, bytes] | None) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        client.suppress_exceptions = True  # an exception in a callback would end the network's thread for ever
        client.max_inflight_messages_set(MAX_INFLIGHT)
        client.max_queued_messages_set(MAX_UNSENT_MESSAGES)
        client.reconnect_delay_set(1, MAX_RECONNECT_SECONDS)
        if endpoint.username is not None:
            client.username_pw_set(endpoint.username, endpoint.password)
        if self._address.tls:
            client.tls_set_context(ssl.create_default_context())
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def open(self) -> None:
        """Connect for the first time; later connections are the network thread's work.

        Raises:
            BrokerError: As in ``connect``.
        """
        deadline = time.monotonic() + CONNECT_SECONDS
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=KEEPALIVE_SECONDS)
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", None) or str(cause)
            raise BrokerError(
                f"no broker at {self._address}: {reason}", remedy="check the URL and that the broker runs"
            ) from cause
        self._client.loop_start()
        if not self._answered.wait(deadline - time.monotonic()):
            self._refusal = f"it did not answer within {CONNECT_SECONDS:.0f} s"
        if self._refusal:
            self._stop()
            raise BrokerError(
                f"broker at {self._address} cannot be used: {self._refusal}",
                remedy="check the URL, and the username and password in the join file",
            )

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand a message to the network.

        Without a connection, or with ``MAX_UNSENT_MESSAGES`` waiting for longer than ``PUBLISH_SECONDS``, the message
        is dropped as a lost one would be: delivery is at most once, and a loop must outlive its broker's outage.

        Raises:
            BrokerError: The packet is larger than brokers accept, or the transport is closed.
        """
        check_packet_size(topic, payload)
        with self._sending:
            if self._closed:
                raise BrokerError("the transport is closed")
            if not self._has_room():
                self.dropped_messages += 1
                return
            info = self._client.publish(topic, payload, qos=qos, retain=retain)
            if info.rc != paho.MQTT_ERR_SUCCESS and (qos == 0 or info.rc != paho.MQTT_ERR_NO_CONN):
                self.dropped_messages += 1
                return
            info.rc = paho.MQTT_ERR_SUCCESS  # paho keeps a QoS 1 message for the reconnect, but leaves NO_CONN here
            self._unsent.append(info)
            self.sent_bytes[topic] += len(payload)

    def receive(self, timeout_seconds: float) -> Message | None:
        """Return the next message, or None when none came in time."""
        return self._inbox.take(timeout_seconds)

    def close(self) -> None:
        """Wait shortly for what was published to be acknowledged, and disconnect; the will is not published."""
        with self._sending:
            if self._closed:
                return
            self._closed = True
            deadline = time.monotonic() + DRAIN_SECONDS
            while self._online.is_set() and self._count_unsent() and time.monotonic() < deadline:
                self._await_progress()
        self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._client.disconnect()
        self._client.loop_stop()

    def _has_room(self) -> bool:
        """Wait for room among the unsent messages; False when there will be none soon."""
        deadline = time.monotonic() + PUBLISH_SECONDS
        while len(self._unsent) >= MAX_UNSENT_MESSAGES and self._count_unsent() >= MAX_UNSENT_MESSAGES:
            if not self._online.is_set() or time.monotonic() > deadline:
                return False
            self._await_progress()
        return True

    def _count_unsent(self) -> int:
        self._unsent = [info for info in self._unsent if not _is_settled(info)]
        return len(self._unsent)

    def _await_progress(self) -> None:
        """Sleep until something was sent; the short timeout covers what paho settles without a callback."""
        self._room.clear()
        self._room.wait(0.02)

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: paho.ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refuse(f"it refused the connection ({reason})")
        elif self._filters:
            client.subscribe([(topic_filter, 1) for topic_filter in self._filters])
        else:
            self._established()

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        refused = [name for name, reason in zip(self._filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self._refuse(f"it refused to subscribe to {', '.join(refused)}")
        else:
            self._established()

    def _established(self) -> None:
        self.connections += 1
        self._online.set()
        self._answered.set()
        if self.connections > 1:
            _log.info("connected again to %s", self._address)

    def _refuse(self, reason: str) -> None:
        if self.connections:  # a broker that restarts may refuse for a while: keep trying
            _log.warning("broker at %s: %s", self._address, reason)
            return
        self._refusal = reason
        self._answered.set()
        self._client.disconnect()

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self._online.clear()
        self._room.set()
        if self.connections and not self._closed:
            _log.warning("connection to %s lost (%s), reconnecting", self._address, reason)

    def _on_publish(self, _client: paho.Client, _data: Any, _mid: int, _reason: ReasonCode, _properties: Any) -> None:
        self._room.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._inbox.offer(Message(message.topic, bytes(message.payload)))


def _is_settled(info: paho.MQTTMessageInfo) -> bool:
    """Tell whether a message was sent, acknowledged or, with QoS 0, lost with its connection."""
    return info.rc != paho.MQTT_ERR_SUCCESS or info.is_published()


def _without_delay(_client: paho.Client, _data: Any, sock: Any) -> None:
    """Turn Nagle's algorithm off: with it a small message and its answer take 44-88 ms instead of 0.4."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
