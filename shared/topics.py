"""Every MQTT topic, built and parsed in one place.

An agent writes ``a/{client}/up/#`` only, and reads ``bcast/#``, ``coord/status`` and ``a/{client}/down/#``, always
with the federation's own name in front.
"""

import re
from typing import Final, Literal, NamedTuple

from shared.errors import MessageError, SettingsError

Direction = Literal["up", "down"]
Channel = Literal["cmd", "manifest", "get", "c", "status", "metrics"]

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A federation's or a client's name: one topic level, safe as a file name, at most 64 characters."""

_TOPIC: Final = re.compile(r"fl/v1/([^/]+)/a/([^/]+)/(up|down)/(cmd|manifest|get|c|status|metrics)")


class Lane(NamedTuple):
    """What a topic says about a message: whose lane it is, which way it goes, and what travels there."""

    client: str
    direction: Direction
    channel: Channel


def check_name(what: str, name: str) -> str:
    """Return the name if it can stand in a topic and as a file name.

    Raises:
        SettingsError: It cannot.
    """
    if NAME_PATTERN.fullmatch(name) is None:
        raise SettingsError(
            f"{what} {name!r} cannot be used", remedy="use at most 64 letters, digits, dots, dashes and underscores"
        )
    return name


def lane(federation: str, client: str, direction: Direction, channel: Channel) -> str:
    """Return the topic of one agent's lane."""
    return f"fl/v1/{federation}/a/{client}/{direction}/{channel}"


def coordinator_status(federation: str) -> str:
    """Return the retained topic that says whether the coordinator is up."""
    return f"fl/v1/{federation}/coord/status"


def broadcast(federation: str, channel: Literal["cmd", "manifest", "c"]) -> str:
    """Return a topic that every agent reads."""
    return f"fl/v1/{federation}/bcast/{channel}"


def coordinator_filters(federation: str) -> list[str]:
    """Return what the coordinator subscribes to."""
    return [f"fl/v1/{federation}/a/+/up/#"]


def agent_filters(federation: str, client: str) -> list[str]:
    """Return what an agent subscribes to; nothing of any other agent."""
    return [f"fl/v1/{federation}/bcast/#", coordinator_status(federation), f"fl/v1/{federation}/a/{client}/down/#"]


def parse_lane(federation: str, topic: str) -> Lane:
    """Take a lane's topic apart.

    Raises:
        MessageError: The topic is no lane of this federation.
    """
    match = _TOPIC.fullmatch(topic)
    if match is None or match[1] != federation or NAME_PATTERN.fullmatch(match[2]) is None:
        raise MessageError(f"topic {topic!r} is no lane of federation {federation!r}")
    return Lane(match[2], match[3], match[4])  # type: ignore[arg-type]
