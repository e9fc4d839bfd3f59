"""The byte ledger: payload bytes by client and direction, from the transport's counters into SQL, while they come."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from cloud.store.contract import RoundStore
from shared.errors import MessageError
from shared.topics import parse_lane
from shared.transport import Transport

EVERYBODY: Final = "*"
"""Stands in the ledger for what goes to all at once: broadcasts, and the coordinator's presence. No client's name."""

RECORD_SECONDS: Final = 1.0
"""Bytes are recorded at least this often while any move: what a killed coordinator leaves uncounted."""


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
        for topic, count in by_topic.copy().items():  # the network's thread adds to it meanwhile
            try:
                total[parse_lane(self._federation, topic).client] += count
            except MessageError:
                total[EVERYBODY] += count
        return total


class Ledger:
    """Writes what moved into the store, round by round.

    Args:
        traffic: Where bytes are counted.
        store: Where they are recorded.
        clock: Monotonic seconds.
    """

    def __init__(self, traffic: Traffic, store: RoundStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._traffic = traffic
        self._store = store
        self._clock = clock
        self._recorded_at = clock()

    def tick(self, round_number: int) -> None:
        """Record under a round what moved, if the last time is ``RECORD_SECONDS`` ago."""
        if self._clock() - self._recorded_at >= RECORD_SECONDS:
            self.record(round_number)

    def record(self, round_number: int) -> None:
        """Record under a round, 0 for none, what moved since the last time."""
        up, down = self.take()
        if up or down:
            self._store.add_bytes(round_number, up=up, down=down)

    def take(self) -> tuple[Counter[str], Counter[str]]:
        """Return what moved since the last time, for a commit to record it."""
        self._recorded_at = self._clock()
        return self._traffic.take()
