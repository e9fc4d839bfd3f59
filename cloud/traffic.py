"""Payload bytes per client since the last count, taken from the transport's own counters."""

from collections import Counter

from shared.errors import MessageError
from shared.topics import parse_lane
from shared.transport import Transport


class Traffic:
    """Splits a transport's byte counters by client.

    Args:
        transport: Whose counters to read.
        federation: Whose lanes to count.
    """

    def __init__(self, transport: Transport, federation: str) -> None:
        self._transport = transport
        self._federation = federation
        self._seen_up: Counter[str] = Counter()
        self._seen_down: Counter[str] = Counter()

    def take(self) -> tuple[Counter[str], Counter[str]]:
        """Return payload bytes (up, down) per client since the last call."""
        up, down = self._by_client(self._transport.received_bytes), self._by_client(self._transport.sent_bytes)
        fresh_up, fresh_down = up - self._seen_up, down - self._seen_down
        self._seen_up, self._seen_down = up, down
        return fresh_up, fresh_down

    def _by_client(self, by_topic: Counter[str]) -> Counter[str]:
        total: Counter[str] = Counter()
        for topic, count in list(by_topic.items()):
            try:
                total[parse_lane(self._federation, topic).client] += count
            except MessageError:  # the coordinator's own presence belongs to no client
                continue
        return total
