"""How large a message may be: checked before it is published, because no broker says it in time."""

from typing import Final

from shared.errors import BrokerError
from shared.limits import MAX_PACKET_BYTES

_HEADER_BYTES: Final = 9
"""A PUBLISH packet beside topic and payload: type 1, remaining length up to 4, topic length 2, packet id 2."""


def check_packet_size(topic: str, payload: bytes) -> None:
    """Check that a message passes every supported broker.

    Raises:
        BrokerError: Its packet is larger than ``MAX_PACKET_BYTES``.
    """
    size = _HEADER_BYTES + len(topic.encode()) + len(payload)
    if size > MAX_PACKET_BYTES:
        raise BrokerError(f"message of {size} bytes to {topic} exceeds a packet's {MAX_PACKET_BYTES}")
