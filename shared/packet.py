"""How large a message may be: checked before it is published, because no broker says it in time."""

from typing import Final, Literal, TypeAlias

from shared.errors import BrokerError
from shared.limits import AWS_PACKET_BYTES, MAX_PACKET_BYTES

Profile: TypeAlias = Literal["standard", "aws"]
"""What a broker is taken to pass on where it does not announce it: MQTT 3.1.1 has no way to."""

PROFILES: Final[dict[Profile, int]] = {"standard": MAX_PACKET_BYTES, "aws": AWS_PACKET_BYTES}
"""Largest packet by profile, bytes."""

_HEADER_BYTES: Final = 9
"""A PUBLISH packet beside topic and payload: type 1, remaining length up to 4, topic length 2, packet id 2."""


def check_packet_size(topic: str, payload: bytes, limit: int = MAX_PACKET_BYTES) -> None:
    """Check that a message passes the broker.

    Args:
        topic: Where it goes.
        payload: What it is.
        limit: The largest packet the broker passes on, bytes.

    Raises:
        BrokerError: Its packet is larger.
    """
    size = _HEADER_BYTES + len(topic.encode()) + len(payload)
    if size > limit:
        raise BrokerError(f"message of {size} bytes to {topic} exceeds a packet's {limit}")
