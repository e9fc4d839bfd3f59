"""The transport without a network: for the simulator and for tests, with the laws of the real one."""

import threading
from collections import Counter
from collections.abc import Sequence

from shared.endpoint import Version
from shared.errors import BrokerError
from shared.inbox import Inbox
from shared.limits import MAX_PACKET_BYTES
from shared.packet import check_packet_size
from shared.transport import Message


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic fits an MQTT filter: ``+`` is any one level, a final ``#`` the rest, parent included."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


class MemoryBroker:
    """Passes messages between the transports of one process, in the order they were published.

    Attributes:
        passed: Messages published and read: who drives both sides from one thread sees whether anything happened.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transports: list[MemoryTransport] = []
        self._retained: dict[str, bytes] = {}
        self.passed = 0

    def connect(self, *, filters: Sequence[str], will: tuple[str, bytes] | None = None) -> "MemoryTransport":
        """Return a new transport, subscribed to ``filters``; retained messages are waiting in it.

        Args:
            filters: Topic filters.
            will: Topic and payload published, retained, by ``MemoryTransport.abandon``.
        """
        transport = MemoryTransport(self, filters, will)
        self.attach(transport)
        return transport

    def attach(self, transport: "MemoryTransport") -> None:
        """Pass messages on to a transport, the retained ones first."""
        with self._lock:
            self._transports.append(transport)
            for topic, payload in self._retained.items():
                transport.deliver(topic, payload)

    def restart(self) -> None:
        """Forget what was retained and reconnect everyone, as a broker without a disk does when it is killed."""
        with self._lock:
            self._retained.clear()
            for transport in self._transports:
                transport.connections += 1

    def pass_on(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Deliver a message to every transport that subscribed to its topic; an empty retained one clears the topic."""
        with self._lock:
            self.passed += 1
            if retain and payload:
                self._retained[topic] = payload
            elif retain:
                self._retained.pop(topic, None)
            for transport in self._transports:
                transport.deliver(topic, payload)

    def count_read(self) -> None:
        """Take note that somebody read a message: a chunk may be written to disk and answered by nothing."""
        with self._lock:
            self.passed += 1

    def forget(self, transport: "MemoryTransport") -> None:
        """Deliver nothing to this transport any more."""
        with self._lock:
            self._transports.remove(transport)


class MemoryTransport:
    """A ``Transport`` between threads or loops of one process, made by ``MemoryBroker.connect``."""

    def __init__(self, broker: MemoryBroker, filters: Sequence[str], will: tuple[str, bytes] | None) -> None:
        self.sent_bytes: Counter[str] = Counter()
        self.connections = 1
        self.max_packet_bytes = MAX_PACKET_BYTES
        self.version: Version = "3.1.1"
        self._broker = broker
        self._filters = tuple(filters)
        self._will = will
        self._inbox = Inbox()
        self.received_bytes = self._inbox.received_bytes
        self._closed = False

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:  # noqa: ARG002
        """Hand a message to the others; ``qos`` makes no difference here.

        Raises:
            BrokerError: The payload is larger than a real broker accepts, or the transport is closed.
        """
        check_packet_size(topic, payload, self.max_packet_bytes)
        if self._closed:
            raise BrokerError("the transport is closed")
        self.sent_bytes[topic] += len(payload)
        self._broker.pass_on(topic, payload, retain=retain)

    def ready(self) -> bool:
        """Return True: a message is delivered as it is published."""
        return True

    def receive(self, timeout_seconds: float) -> Message | None:
        """Return the next message, or None when none came in time."""
        message = self._inbox.take(timeout_seconds)
        if message is not None:
            self._broker.count_read()
        return message

    def deliver(self, topic: str, payload: bytes) -> None:
        """Take a message in if it was subscribed to; called by the broker."""
        if any(matches(topic_filter, topic) for topic_filter in self._filters):
            self._inbox.offer(Message(topic, payload))

    def close(self) -> None:
        """Say goodbye: the will is not published; idempotent."""
        if not self._closed:
            self._closed = True
            self._broker.forget(self)

    def abandon(self) -> None:
        """Vanish without a goodbye, as a killed process does: the will is published."""
        self.close()
        if self._will is not None:
            self._broker.pass_on(*self._will, retain=True)
