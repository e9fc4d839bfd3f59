"""What MQTT 5 adds where a broker offers it: expiry, a delayed will, announced limits. Nothing relies on any of it."""

from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from shared.limits import CHUNK_EXPIRY_SECONDS, CONTROL_EXPIRY_SECONDS, MIB, SESSION_SECONDS

_NO_LIMIT: Final = 65535
"""Receive Maximum of a broker that announces none."""


_EXPIRY_BYTES: Final = 6
"""What the properties of a PUBLISH add to its packet: their length 1, an identifier 1, seconds 4."""


def connect_properties() -> Properties:
    """Return what a CONNECT says: how long the session lives after a lost connection, and what we take in."""
    properties: Any = _empty(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_SECONDS
    properties.MaximumPacketSize = MIB  # a broker drops what is larger without a word
    return properties  # type: ignore[no-any-return]


def will_properties(delay_seconds: int) -> Properties:
    """Return what a last will says: wait, the client may come back."""
    properties: Any = _empty(PacketTypes.WILLMESSAGE)
    properties.WillDelayInterval = delay_seconds
    return properties  # type: ignore[no-any-return]


def publish_properties(topic: str, *, retain: bool) -> Properties | None:
    """Return how long a message is worth delivering; what is retained stays for ever."""
    if retain:
        return None
    properties: Any = _empty(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = CHUNK_EXPIRY_SECONDS if topic.endswith("/c") else CONTROL_EXPIRY_SECONDS
    return properties  # type: ignore[no-any-return]


def announced_packet_bytes(connack: Any, limit: int) -> int:
    """Return the smaller of our limit and the one that a CONNACK announces."""
    announced = getattr(connack, "MaximumPacketSize", None)
    return limit if announced is None else min(limit, int(announced) - _EXPIRY_BYTES)


def announced_inflight(connack: Any) -> int:
    """Return how many unacknowledged QoS 1 messages a CONNACK allows."""
    return int(getattr(connack, "ReceiveMaximum", _NO_LIMIT))


def _empty(packet_type: int) -> Any:
    return Properties(packet_type)  # type: ignore[no-untyped-call]
