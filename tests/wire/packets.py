"""What travelled in a recorded connection: MQTT 3.1.1 PUBLISH packets, and the blobs their chunks make."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
import zstandard
from torch import Tensor

from shared.chunks import parse_chunk
from shared.tensors import decode
from shared.transport import Message

PUBLISH = 3


def published(streams: Iterable[bytes]) -> list[Message]:
    """Return every message published in recorded streams, one stream per connection and direction."""
    return [message for stream in streams for message in _messages(stream)]


def _messages(stream: bytes) -> Iterator[Message]:
    """Walk one stream's packets: type and flags, remaining length (7 bits a byte, lowest first), body."""
    at = 0
    while at < len(stream):
        kind, flags = stream[at] >> 4, stream[at] & 15
        length, shift, at = 0, 0, at + 1
        while True:
            length |= (stream[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if stream[at - 1] < 128:
                break
        body = stream[at : at + length]
        assert len(body) == length, "the recording ends within a packet"
        at += length
        if kind == PUBLISH:
            size = int.from_bytes(body[:2])
            start = 2 + size + (2 if flags & 0b0110 else 0)  # QoS 1 has a packet id
            yield Message(body[2 : 2 + size].decode(), body[start:])


def blobs(messages: Iterable[Message]) -> list[bytes]:
    """Put the chunks of every transfer together."""
    transfers: dict[tuple[str, int], dict[int, bytes]] = defaultdict(dict)
    for message in messages:
        if message.topic.endswith("/c"):
            chunk = parse_chunk(message.payload)
            transfers[message.topic, chunk.transfer][chunk.index] = chunk.data
    return [b"".join(pieces[index] for index in sorted(pieces)) for pieces in transfers.values()]


def unpacked(blob: bytes) -> dict[str, Tensor]:
    """Return what the compressed entries of an update hold: float32 values in one row each, whatever their shape."""
    found = {}
    for name, entry in decode(blob).items():
        if entry.dtype == torch.uint8 and entry.dim() == 1:
            planes = zstandard.ZstdDecompressor().decompress(entry.numpy().tobytes())
            values = bytes(
                planes[plane * (len(planes) // 4) + at] for at in range(len(planes) // 4) for plane in range(4)
            )
            found[name] = torch.frombuffer(bytearray(values), dtype=torch.float32)
    return found
