"""How fast a broadcast may go: a token bucket, because nobody answers a broadcast chunk by chunk."""

import math


class Pace:
    """A bucket of bytes that fills at a rate.

    Pure of the clock: the time, monotonic seconds, is passed in.

    Args:
        bytes_per_second: How fast it fills; infinity for no limit.
        burst: Bytes it holds.
        now: Monotonic seconds; it begins full.
    """

    def __init__(self, bytes_per_second: float, *, burst: int, now: float) -> None:
        self._rate = bytes_per_second
        self._burst = burst
        self._level = float(burst)
        self._filled_at = now

    def take(self, size: int, now: float) -> bool:
        """Take bytes out if there is anything in it: what exceeds the level is owed and delays the next."""
        if math.isinf(self._rate):
            return True
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._level <= 0:
            return False
        self._level -= size
        return True

    def ready_at(self, now: float) -> float:
        """Return when something can be taken out; not after ``now`` when it can be at once."""
        if math.isinf(self._rate) or self._level > 0:
            return now
        return self._filled_at + (1 - self._level) / self._rate
