"""What arrived and was not yet read: a finite queue between the network's thread and the loop."""

import queue
import threading
from collections import Counter

from shared.limits import MAX_QUEUED_BYTES, MAX_QUEUED_LANE_BYTES, MAX_QUEUED_MESSAGES
from shared.transport import Message


class Inbox:
    """A queue that never blocks the network's thread: when it is full, the new message is lost.

    It is bounded in messages, in bytes, and in bytes of one topic, so that a peer that floods its own lane loses its
    own messages and nobody else's.

    Args:
        size: Messages it holds.
        max_bytes: Payload bytes it holds.
        max_topic_bytes: Payload bytes of one topic it holds.

    Attributes:
        received_bytes: Payload bytes that came, by topic, also of what was dropped: what the network carried.
        dropped_messages: How many it had no room for.
    """

    def __init__(
        self,
        size: int = MAX_QUEUED_MESSAGES,
        *,
        max_bytes: int = MAX_QUEUED_BYTES,
        max_topic_bytes: int = MAX_QUEUED_LANE_BYTES,
    ) -> None:
        self.received_bytes: Counter[str] = Counter()
        self.dropped_messages = 0
        self._max_bytes = max_bytes
        self._max_topic_bytes = max_topic_bytes
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._held_bytes = 0
        self._queue: queue.Queue[Message | None] = queue.Queue(size)

    def offer(self, message: Message) -> None:
        """Queue a message, or drop it when there is no room; called by the network's thread."""
        size = len(message.payload)
        with self._lock:
            self.received_bytes[message.topic] += size
            held = self._held[message.topic]
            full = self._held_bytes + size > self._max_bytes or held + size > self._max_topic_bytes
            if not full:
                try:
                    self._queue.put_nowait(message)
                except queue.Full:
                    full = True
            if full:
                self.dropped_messages += 1
                return
            self._held[message.topic] += size
            self._held_bytes += size

    def wake(self) -> None:
        """Let a waiting reader return without a message."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return  # the reader has enough to wake up for

    def take(self, timeout_seconds: float) -> Message | None:
        """Return the oldest message, or None when none came in time or the reader was woken."""
        try:
            message = self._queue.get(timeout=max(timeout_seconds, 0.0))
        except queue.Empty:
            return None
        if message is not None:
            with self._lock:
                self._held[message.topic] -= len(message.payload)
                self._held_bytes -= len(message.payload)
                if not self._held[message.topic]:
                    del self._held[message.topic]
        return message
