"""What a loop hears from its exchange."""

from dataclasses import dataclass
from typing import TypeAlias

from shared.topics import Channel


@dataclass(frozen=True, slots=True)
class Received:
    """A control message that the loop must read; ``client`` is "" for the coordinator's presence."""

    client: str
    channel: Channel
    payload: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """A pull ended: the blob is in the store, its digest verified."""

    client: str
    blob: str


@dataclass(frozen=True, slots=True)
class PullFailed:
    """A pull was given up."""

    client: str
    blob: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection was lost and is back: presence must be announced again."""


Event: TypeAlias = Received | Arrived | PullFailed | Reconnected
