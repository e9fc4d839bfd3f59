"""Everything a recorded federation sent, in every form in which something could hide."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

from shared.transport import Message
from tests.wire.packets import blobs, published, unpacked


def haystacks(sent: Iterable[bytes], received: Iterable[bytes]) -> dict[str, bytes]:
    """Return the bytes as they passed, each topic's payloads in a row, and the blobs, as they came and unpacked.

    Args:
        sent: To the broker, one stream per connection.
        received: From the broker, likewise; what it passes on was sent to it first.
    """
    streams = list(sent)
    messages = published(streams)
    found = blobs(messages)
    found += [_raw(values) for blob in found for values in unpacked(blob).values()]
    hay = {"bytes sent": b"".join(streams), "bytes received": b"".join(received), "blobs": b"".join(found)}
    for topic, payloads in _by_topic(messages).items():
        hay[f"payloads on {topic}"] = b"".join(payloads)
    return hay


def _raw(values: Tensor) -> bytes:
    return values.view(torch.uint8).numpy().tobytes()


def _by_topic(messages: Iterable[Message]) -> dict[str, list[bytes]]:
    topics: dict[str, list[bytes]] = defaultdict(list)
    for message in messages:
        topics[message.topic].append(message.payload)
    return topics
