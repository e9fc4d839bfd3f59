"""Every limit, with its unit and the reason for its size."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

CHUNK_BYTES: Final = 240 * KIB
"""Data in one chunk: with its header below 256 KiB, which every broker but AWS IoT passes unchanged."""

MAX_PACKET_BYTES: Final = 256 * KIB
"""An MQTT packet: an oversize one with QoS 1 makes broker and client reconnect for ever, so it is refused before."""

CHUNK_MARGIN_BYTES: Final = KIB
"""What a chunk's packet may need beside its data: header 16, topic up to 145, MQTT 5 properties and framing."""

AWS_PACKET_BYTES: Final = 125 * KIB
"""AWS IoT Core passes 128 KB whether these are 1,000 or 1,024 bytes each: chunks there become 124 KiB."""

MAX_CHUNKS_IN_MANIFEST: Final = 512
"""Chunk digests a manifest carries itself: 512 of 32 hexadecimal characters stay within ``MAX_MESSAGE_BYTES``."""

MAX_CHUNKS: Final = 64 * KIB
"""Chunks of one blob: their digests are then a list of 1 MiB at most, which a receiver holds in memory."""

MAX_MESSAGE_BYTES: Final = 64 * KIB
"""A control message or manifest: large enough for 512 chunk digests in JSON, small enough to refuse early."""

MAX_BLOB_BYTES: Final = 2 * 1024 * MIB
"""A payload: four times VGG-16 in fp32; what is larger is a mistake or an attack."""

FIRST_WINDOW_CHUNKS: Final = 4
"""Chunks asked for at once when nothing is known of a link: 1 MiB; half of it is enough to learn from."""

MIN_WINDOW_CHUNKS: Final = 2
"""The window after losses: one chunk on its way while the next request travels."""

MAX_WINDOW_CHUNKS: Final = 32
"""The window on a good link: 7.5 MiB fill 100 Mbit/s at 600 ms, and are what one cut destroys at most."""

GROW_BELOW_SECONDS: Final = 1.0
"""A window that takes longer than this to cross is not widened: the link is full, only its queue would grow."""

MAX_INFLIGHT_BYTES: Final = 32 * MIB
"""Chunks under way to one process over all its pulls: bounds what broker and inbox hold for it."""

MAX_SERVED_CHUNKS: Final = 64
"""Chunks one peer may have asked for and not yet been sent; what it asks beyond that it must ask again."""

MAX_UNSENT_CHUNKS: Final = 24
"""Chunks handed to the network and not yet on the wire: 6 MiB keep it busy while the loop does something else; the rest
wait where a peer can still take its request back."""

BROADCAST_BURST_BYTES: Final = 2 * MIB
"""What a broadcast may send at once after a pause; a broker queues it for every subscriber."""

BROADCAST_DELAY_SECONDS: Final = 0.1
"""Between the announcement of a broadcast and its first chunk: chunks are not acknowledged and would overtake it."""

MAX_PULLS: Final = 8
"""Transfers to one process at once: enough to fill a link from slow peers, few enough to bound what is under way."""

STALLED_SECONDS: Final = 8.0
"""A pull without progress for this long makes room for one that waits; what has come stays on disk."""

REREQUEST_SECONDS: Final = 2.0
"""No progress for this long means the outstanding chunks are lost: longer wastes time, shorter wastes bytes."""

MAX_REREQUEST_SECONDS: Final = 30.0
"""Ceiling of the doubling back-off: a peer that is back after an outage waits at most this long."""

CONNECT_SECONDS: Final = 15.0
"""Wait for a broker's CONNACK before it is called unreachable."""

MAX_QUEUED_MESSAGES: Final = 4096
"""Messages between the network thread and the loop; a full queue drops chunks, which are asked for again."""

MAX_QUEUED_LANE_BYTES: Final = 8 * MIB
"""Chunks of one topic between network thread and loop: the largest window, so that only a flood loses any."""

MAX_QUEUED_BYTES: Final = 64 * MIB
"""Chunks of all topics between network thread and loop: twice what is ever asked for at once."""

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

MQTT5_CONNECT_SECONDS: Final = 5.0
"""Wait for the answer to an MQTT 5 CONNECT before 3.1.1 is tried: some brokers leave it unanswered for ever."""

WILL_DELAY_SECONDS: Final = 10
"""MQTT 5: a client that is back within this time never seemed gone; a flapping link then causes no presence storm."""

SESSION_SECONDS: Final = 30
"""MQTT 5: a broker keeps a lost client's session for this long, which a delayed will needs; nothing relies on it."""

CHUNK_EXPIRY_SECONDS: Final = 60
"""MQTT 5: a chunk still queued at the broker after this was given up and asked for again long ago."""

CONTROL_EXPIRY_SECONDS: Final = 300
"""MQTT 5: a control message that waits longer was repeated many times; a stale one must not flood a device."""

KEEPALIVE_SECONDS: Final = 30
"""MQTT keep-alive: a dead peer is noticed after 1.5 times this."""

PARENT_DEATH_SECONDS: Final = 5.0
"""A child process ends within this time of its parent's death."""
