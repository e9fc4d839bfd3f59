"""The transport over MQTT with paho: callbacks only enqueue, everything has a bound, reconnects are for ever.

MQTT 3.1.1 suffices. MQTT 5 is tried first where the endpoint does not say otherwise: a broker that has it drops stale
messages, delays wills, announces its limits and says what it refused.
"""

import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.reasoncodes import ReasonCode

from shared.endpoint import Endpoint, Version
from shared.errors import BrokerError
from shared.inbox import Inbox
from shared.limits import (
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    KEEPALIVE_SECONDS,
    MAX_INFLIGHT,
    MAX_UNSENT_CHUNKS,
    MQTT5_CONNECT_SECONDS,
)
from shared.mqtt_client import make_client
from shared.mqtt_properties import (
    announced_inflight,
    announced_packet_bytes,
    connect_properties,
    publish_properties,
)
from shared.packet import PROFILES, check_packet_size
from shared.transport import Message
from shared.unsent import Unsent

_log = logging.getLogger(__name__)


def connect(
    endpoint: Endpoint,
    *,
    client_id: str,
    filters: Sequence[str],
    will: tuple[str, bytes] | None = None,
    will_delay_seconds: int = 0,
) -> "MqttTransport":
    """Connect and subscribe; when this returns, no message to ``filters`` is missed any more.

    Args:
        endpoint: The broker; its ``mqtt`` says which version to speak.
        client_id: Unique at the broker; a second connection with it ends the first.
        filters: Topic filters, subscribed with QoS 1 now and after every reconnect.
        will: Topic and payload that the broker publishes, retained, when this client dies without a goodbye.
        will_delay_seconds: With MQTT 5: how long the broker waits for this client to come back before that.

    Raises:
        BrokerError: The URL does not parse, the broker cannot be reached or does not answer within
            ``CONNECT_SECONDS``, or it refuses the credentials or a filter.
    """

    def opened(version: Version, inflight: int = MAX_INFLIGHT) -> MqttTransport:
        transport = MqttTransport(
            dataclasses.replace(endpoint, mqtt=version),
            client_id=client_id,
            filters=filters,
            will=will,
            will_delay_seconds=will_delay_seconds,
            inflight=inflight,
        )
        transport.open(MQTT5_CONNECT_SECONDS if endpoint.mqtt == "auto" and version == "5" else CONNECT_SECONDS)
        return transport

    if endpoint.mqtt == "3.1.1":
        return opened("3.1.1")
    try:
        transport = opened("5")
    except UnansweredError:
        if endpoint.mqtt == "5":
            raise
        _log.info("broker at %s does not answer MQTT 5: 3.1.1 is spoken", endpoint.address())
        return opened("3.1.1")
    if transport.announced_inflight < MAX_INFLIGHT:  # paho cannot lower it on a live connection, and does not look
        transport.close()
        return opened("5", transport.announced_inflight)
    return transport


class UnansweredError(BrokerError):
    """The broker does not speak this version of MQTT: no answer, or one that says so."""


class MqttTransport:
    """A ``Transport`` over one MQTT connection, made by ``connect``.

    Attributes:
        version: The MQTT that is spoken, "5" or "3.1.1".
        sent_bytes: Payload bytes handed to the network, by topic.
        received_bytes: Payload bytes received, by topic.
        max_packet_bytes: The largest packet the broker passes on.
        announced_inflight: Unacknowledged messages the broker allows.
        connections: How often the subscriptions were (re)made.
        dropped_messages: Messages not sent because the network took none; whoever needs them asks again.
        refused_messages: Messages the broker said it would not pass on; only MQTT 5 brokers say so.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        client_id: str,
        filters: Sequence[str],
        will: tuple[str, bytes] | None,
        will_delay_seconds: int = 0,
        inflight: int = MAX_INFLIGHT,
    ) -> None:
        self.version: Version = endpoint.mqtt
        self.sent_bytes: Counter[str] = Counter()
        self.max_packet_bytes = PROFILES[endpoint.profile]
        self.announced_inflight = inflight
        self.connections = 0
        self.dropped_messages = 0
        self.refused_messages = 0
        self._inbox = Inbox()
        self.received_bytes = self._inbox.received_bytes
        self._address = endpoint.address()
        self._profile_bytes = self.max_packet_bytes
        self._filters = list(filters)
        self._sending = threading.Lock()
        self._online = threading.Event()
        self._unsent = Unsent(self._online.is_set)
        self._answered = threading.Event()
        self._reader_waits = False
        self._refusal = ""
        self._unspoken = False
        self._closed = False
        self._client = self._listen(make_client(endpoint, client_id, will, will_delay_seconds, inflight))

    def _listen(self, client: paho.Client) -> paho.Client:
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def open(self, patience_seconds: float = CONNECT_SECONDS) -> None:
        """Connect for the first time; later connections are the network thread's work.

        Raises:
            UnansweredError: The broker does not speak this version, or did not answer in time.
            BrokerError: As in ``connect``.
        """
        deadline = time.monotonic() + patience_seconds
        properties = connect_properties() if self.version == "5" else None
        host, port = self._address.host, self._address.port
        try:
            self._client.connect(host, port, keepalive=KEEPALIVE_SECONDS, properties=properties)
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", None) or str(cause)
            raise BrokerError(
                f"no broker at {self._address}: {reason}", remedy="check the URL and that the broker runs"
            ) from cause
        self._client.loop_start()
        if not self._answered.wait(deadline - time.monotonic()):
            self._refusal, self._unspoken = f"it did not answer within {patience_seconds:.0f} s", True
        if self._refusal:
            self._stop()
            kind = UnansweredError if self._unspoken else BrokerError
            raise kind(
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
        check_packet_size(topic, payload, self.max_packet_bytes)
        properties = publish_properties(topic, retain=retain) if self.version == "5" else None
        with self._sending:
            if self._closed:
                raise BrokerError("the transport is closed")
            if not self._unsent.await_room():
                self.dropped_messages += 1
                return
            info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
            if info.rc != paho.MQTT_ERR_SUCCESS and (qos == 0 or info.rc != paho.MQTT_ERR_NO_CONN):
                self.dropped_messages += 1
                return
            info.rc = paho.MQTT_ERR_SUCCESS  # paho keeps a QoS 1 message for the reconnect, but leaves NO_CONN here
            self._unsent.add(info)
            self.sent_bytes[topic] += len(payload)

    def ready(self) -> bool:
        """Tell whether a chunk would soon be on the wire; where not, the reader is woken once it would."""
        with self._sending:
            self._reader_waits = True  # before looking, so that no room that opens meanwhile is missed
            if self._online.is_set() and self._unsent.count() < MAX_UNSENT_CHUNKS:
                self._reader_waits = False
                return True
            return False

    def receive(self, timeout_seconds: float) -> Message | None:
        """Return the next message, or None when none came in time or there is room to send again."""
        return self._inbox.take(timeout_seconds)

    def close(self) -> None:
        """Wait shortly for what was published to be acknowledged, and disconnect; the will is not published."""
        with self._sending:
            if self._closed:
                return
            self._closed = True
            self._unsent.drain(DRAIN_SECONDS)
        self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: paho.ConnectFlags, reason: ReasonCode, properties: Any
    ) -> None:
        if reason.is_failure:
            self._unspoken = str(reason) == "Unsupported protocol version"
            self._refuse(f"it refused the connection ({reason})")
            return
        self.max_packet_bytes = announced_packet_bytes(properties, self._profile_bytes)
        self.announced_inflight = announced_inflight(properties)
        if self._filters:
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
        self._wake_reader()
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
        self._unsent.progress()
        if self.connections and not self._closed:
            _log.warning("connection to %s lost (%s), reconnecting", self._address, reason)
        elif self.version == "5" and not (self._answered.is_set() or self._closed):  # an older broker may hang up
            self._unspoken = True
            self._refuse(f"it closed the connection ({reason})")

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self.refused_messages += 1
            _log.warning("broker at %s did not pass message %d on: %s", self._address, mid, reason)
        self._unsent.progress()
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader_waits:
            self._reader_waits = False
            self._inbox.wake()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._inbox.offer(Message(message.topic, bytes(message.payload)))
