"""Every limit, with its unit and the reason for its size."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

CHUNK_BYTES: Final = 240 * KIB
"""Data in one chunk: with its header below 256 KiB, which every broker but AWS IoT passes unchanged."""

MAX_PACKET_BYTES: Final = 256 * KIB
"""An MQTT packet: an oversize one with QoS 1 makes broker and client reconnect for ever, so it is refused before."""

MAX_CHUNKS_IN_MANIFEST: Final = 512
"""Chunk digests a manifest carries itself: 512 of 32 hexadecimal characters stay within ``MAX_MESSAGE_BYTES``."""

MAX_MESSAGE_BYTES: Final = 64 * KIB
"""A control message or manifest: large enough for 512 chunk digests in JSON, small enough to refuse early."""

MAX_BLOB_BYTES: Final = 2 * 1024 * MIB
"""A payload: four times VGG-16 in fp32; what is larger is a mistake or an attack."""

WINDOW_CHUNKS: Final = 8
"""Chunks asked for at once: 2 MiB keeps a 100 Mbit/s, 150 ms link busy and a broker's memory small."""

REREQUEST_SECONDS: Final = 2.0
"""No progress for this long means the outstanding chunks are lost: longer wastes time, shorter wastes bytes."""

MAX_REREQUEST_SECONDS: Final = 30.0
"""Ceiling of the doubling back-off: a peer that is back after an outage waits at most this long."""

CONNECT_SECONDS: Final = 15.0
"""Wait for a broker's CONNACK before it is called unreachable."""

MAX_QUEUED_MESSAGES: Final = 4096
"""Messages between the network thread and the loop; a full queue drops chunks, which are asked for again."""

MAX_INFLIGHT: Final = 10
"""QoS 1 messages sent and not yet acknowledged: HiveMQ accepts 10, and the client library does not ask."""

MAX_UNSENT_MESSAGES: Final = 64
"""Messages handed over and not yet sent or acknowledged: with chunks 15 MiB, which a slow link may pin."""

PUBLISH_SECONDS: Final = 5.0
"""Wait for room among the unsent messages before one is dropped, as a lost one would be: the loop must not hang."""

DRAIN_SECONDS: Final = 2.0
"""Wait at a goodbye for the broker to acknowledge what was said before it."""

MAX_RECONNECT_SECONDS: Final = 5
"""Ceiling of the doubling pause between attempts to reconnect: longer idles a round, shorter hammers the broker."""

KEEPALIVE_SECONDS: Final = 30
"""MQTT keep-alive: a dead peer is noticed after 1.5 times this."""

PARENT_DEATH_SECONDS: Final = 5.0
"""A child process ends within this time of its parent's death."""
