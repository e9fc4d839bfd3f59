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
    """Payload bytes taken from the network so far, by topic."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand a message to the network.

        Raises:
            BrokerError: The payload is larger than the broker accepts, or the transport is closed.
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
