"""The seam between the two loops and the network: publish, receive, count."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One received message: its topic and its payload as it came."""

    topic: str
    payload: bytes


class Transport(Protocol):
    """At-most-once delivery between processes; whatever must arrive is asked for again above it.

    Laws that the contract tests hold every implementation to: messages of one topic and QoS keep their order; a
    subscription outlives a reconnect; ``publish`` never blocks on the peer; nothing is delivered to another federation
    or lane.
    """

    sent_bytes: Counter[str]
    """Payload bytes handed to the network so far, by topic."""

    received_bytes: Counter[str]
    """Payload bytes that came from the network so far, by topic."""

    max_packet_bytes: int
    """The largest packet the broker passes on, as it announced or as the operator's profile says."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand a message to the network.

        Raises:
            BrokerError: The payload is larger than the broker accepts, or the transport is closed.
        """
        ...

    def ready(self) -> bool:
        """Tell whether a chunk handed over now would soon be on the wire.

        Where it says no, ``receive`` returns early, without a message, once it would say yes.
        """
        ...

    def receive(self, timeout_seconds: float) -> Message | None:
        """Return the next message, or None when none came in time."""
        ...

    @property
    def connections(self) -> int:
        """How often the network was (re)connected: a change means state must be announced again."""
        ...

    def close(self) -> None:
        """Say goodbye and free the network; idempotent."""
        ...
