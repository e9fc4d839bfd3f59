"""Messages handed to paho and not yet on the wire or acknowledged: how many there are, and waiting for room."""

import threading
import time
from collections.abc import Callable

from paho.mqtt import client as paho

from shared.limits import MAX_UNSENT_MESSAGES, PUBLISH_SECONDS


class Unsent:
    """Counts what waits; used by one thread at a time, but for ``progress``.

    Args:
        online: Whether there is a connection that could send.
    """

    def __init__(self, online: Callable[[], bool]) -> None:
        self._online = online
        self._messages: list[paho.MQTTMessageInfo] = []
        self._moved = threading.Event()

    def add(self, message: paho.MQTTMessageInfo) -> None:
        """Take note of a message that was handed over."""
        self._messages.append(message)

    def count(self) -> int:
        """Return how many wait."""
        self._messages = [message for message in self._messages if not _is_settled(message)]
        return len(self._messages)

    def progress(self) -> None:
        """Let a waiting thread look again; called by the network's thread."""
        self._moved.set()

    def await_room(self) -> bool:
        """Wait for room; False when there will be none soon: no connection, or ``PUBLISH_SECONDS`` have passed."""
        deadline = time.monotonic() + PUBLISH_SECONDS
        while len(self._messages) >= MAX_UNSENT_MESSAGES and self.count() >= MAX_UNSENT_MESSAGES:
            if not self._online() or time.monotonic() > deadline:
                return False
            self._await_progress()
        return True

    def drain(self, seconds: float) -> None:
        """Wait until nothing waits any more, for a time at most."""
        deadline = time.monotonic() + seconds
        while self._online() and self.count() and time.monotonic() < deadline:
            self._await_progress()

    def _await_progress(self) -> None:
        """Sleep until something was sent; the short timeout covers what paho settles without a callback."""
        self._moved.clear()
        self._moved.wait(0.02)


def _is_settled(message: paho.MQTTMessageInfo) -> bool:
    """Tell whether a message was sent, acknowledged or, with QoS 0, lost with its connection."""
    return message.rc != paho.MQTT_ERR_SUCCESS or message.is_published()
