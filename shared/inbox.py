"""What arrived and was not yet read: a finite queue between the network's thread and the loop."""

import contextlib
import queue
from collections import Counter

from shared.limits import MAX_QUEUED_MESSAGES
from shared.transport import Message


class Inbox:
    """A queue that never blocks the network's thread: when it is full, the new message is lost.

    Args:
        size: Messages it holds.

    Attributes:
        received_bytes: Payload bytes read from it, by topic; counted in the reader's thread.
        dropped_messages: How many it had no room for.
    """

    def __init__(self, size: int = MAX_QUEUED_MESSAGES) -> None:
        self.received_bytes: Counter[str] = Counter()
        self.dropped_messages = 0
        self._queue: queue.Queue[Message] = queue.Queue(size)

    def offer(self, message: Message) -> None:
        """Queue a message, or drop it when there is no room; called by the network's thread."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.dropped_messages += 1

    def take(self, timeout_seconds: float) -> Message | None:
        """Return the oldest message, or None when none came in time."""
        try:
            message = self._queue.get(timeout=max(timeout_seconds, 0.0))
        except queue.Empty:
            return None
        self.received_bytes[message.topic] += len(message.payload)
        return message

    def clear(self) -> None:
        """Forget everything that was not read."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
