"""How fast contenders are beside each other: in turns within one run, so that a busy machine slows all alike.

Latency is what a caller waits, other processes included; processor time is what the call itself computed, which is the
better yardstick where others share the machine.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct

Call: TypeAlias = Callable[[], object]
Took: TypeAlias = tuple[float, float]
"""Seconds by the clock, and of the processor."""

ROUNDS: Final = 10
"""Turns of each contender: the spread of a ratio is over these."""

FEWEST: Final = 3
"""Calls per turn at least, however slow one is."""


class Timing(Struct, frozen=True, kw_only=True):
    """What was measured of one contender.

    Attributes:
        calls: How many were timed.
        p50_ms: Median of a call, milliseconds.
        p99_ms: 99th percentile; of fewer than 100 calls the slowest.
        images_per_second: Images of all calls over the time of all calls.
        speedup: Median over the rounds of how many times faster it was than the first contender in the same round.
        speedup_lowest: The smallest of the rounds.
        speedup_highest: The largest.
        cpu_ms: Median processor time of a call, all threads together, milliseconds.
        cpu_speedup: How many times less of it than the first contender.
    """

    calls: int
    p50_ms: float
    p99_ms: float
    images_per_second: float
    speedup: float
    speedup_lowest: float
    speedup_highest: float
    cpu_ms: float
    cpu_speedup: float


def measure(contenders: Mapping[str, Call], *, batch: int, seconds: float, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Time contenders in turns.

    Args:
        contenders: Calls by name, each on one batch; the first is what the others are compared with.
        batch: Images per call.
        seconds: For each contender in all.
        rounds: Turns of each.
    """
    for call in contenders.values():
        call()  # warm: the first call allocates
        call()
    taken: dict[str, list[list[Took]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            taken[name].append(_turn(call, seconds / rounds))
    first = next(iter(taken.values()))
    return {name: _summary(turns, first, batch) for name, turns in taken.items()}


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _turn(call: Call, seconds: float) -> list[Took]:
    """Call for so many seconds and return what each call took."""
    taken: list[Took] = []
    begin = time.perf_counter()
    while len(taken) < FEWEST or time.perf_counter() - begin < seconds:
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return taken


def _summary(turns: list[list[Took]], first: list[list[Took]], batch: int) -> Timing:
    walls = [wall for turn in turns for wall, _ in turn]
    ratios = [_median(base, 0) / _median(own, 0) for base, own in zip(first, turns, strict=True)]
    cpu = statistics.median(_median(turn, 1) for turn in turns)
    return Timing(
        calls=len(walls),
        p50_ms=1000 * statistics.median(walls),
        p99_ms=1000 * percentile(walls, 0.99),
        images_per_second=batch * len(walls) / sum(walls),
        speedup=statistics.median(ratios),
        speedup_lowest=min(ratios),
        speedup_highest=max(ratios),
        cpu_ms=1000 * cpu,
        cpu_speedup=statistics.median(_median(turn, 1) for turn in first) / cpu,
    )


def _median(turn: list[Took], clock: int) -> float:
    return statistics.median(took[clock] for took in turn)
