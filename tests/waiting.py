"""Waiting for a condition, never for a time."""

import threading
import time
from collections.abc import Callable

from shared.transport import Message, Transport


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 20.0) -> None:
    """Return as soon as the condition holds; fail with ``what`` when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        threading.Event().wait(0.01)


def take(transport: Transport, count: int, *, seconds: float = 20.0) -> list[Message]:
    """Return the next ``count`` messages; fail when they do not come."""
    messages: list[Message] = []
    deadline = time.monotonic() + seconds
    while len(messages) < count:
        message = transport.receive(max(0.0, deadline - time.monotonic()))
        if message is None:
            raise AssertionError(f"{len(messages)} of {count} messages came within {seconds:.0f} s: {messages[-3:]}")
        messages.append(message)
    return messages
