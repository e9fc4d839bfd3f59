"""Which chunks are asked for when: a credit window that grows on a clean link and halves when chunks are lost.

Additive increase, multiplicative decrease (Chiu and Jain, 1989) after a slow start (Jacobson, 1988), as in TCP. Pure of
clock and network: the time, monotonic seconds, is passed in.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from shared.limits import (
    FIRST_ANSWER_SECONDS,
    FIRST_WINDOW_CHUNKS,
    GROW_BELOW_SECONDS,
    MAX_REREQUEST_SECONDS,
    MAX_WINDOW_CHUNKS,
    MIN_WINDOW_CHUNKS,
    REREQUEST_SECONDS,
)

_PATIENCE: Final = 4.0
"""Round trips without progress before what was asked for is called lost: fewer repeats chunks that are still coming."""

_JITTER: Final = 0.25
"""Share by which patience differs between pulls: after an outage a thousand receivers must not ask in one instant."""


class Window:
    """The missing chunks of one blob, and what is outstanding of them.

    Args:
        missing: Chunk indexes to ask for.
        now: Monotonic seconds.
        listen: A broadcast is expected: ask for nothing before it has fallen silent.
        jitter: 0..1, this pull's own share of ``_JITTER``.

    Attributes:
        missing: Indexes that have not come.
        size: Chunks that may be outstanding.
    """

    def __init__(self, missing: Iterable[int], now: float, *, listen: bool = False, jitter: float = 0.0) -> None:
        self.missing = set(missing)
        self.size = FIRST_WINDOW_CHUNKS
        self._idle = deque(sorted(self.missing))  # may hold indexes that came meanwhile; skipped when met
        self._asked: dict[int, float] = {}  # outstanding, and when each was first asked for
        self._lost: dict[int, float] = {}  # asked for once and given up; they may still come
        self._clean = 0
        self._untried = True  # no loss yet: the link's capacity is still looked for
        self._round_trip = 0.0
        self._answered = False
        self._stretch = 1.0 + _JITTER * jitter
        # a broadcast begins once everybody was told, which takes a while where a thousand are
        self._timeout = (FIRST_ANSWER_SECONDS if listen else REREQUEST_SECONDS) * self._stretch
        self._listening = listen
        self.progress = now

    @property
    def listening(self) -> bool:
        """Whether a broadcast is still expected to bring chunks."""
        return self._listening

    @property
    def outstanding(self) -> int:
        """Chunks asked for and not given up."""
        return len(self._asked)

    @property
    def next_wakeup(self) -> float:
        """Monotonic seconds at which ``due`` has something to ask for if nothing comes before."""
        if not self.missing:
            return math.inf
        if self._listening or not self._may_ask():
            return self.progress + self._timeout
        return -math.inf

    def due(self, now: float, budget: int) -> list[int]:
        """Return the indexes to ask for now, ascending; from here on they are outstanding.

        The window is refilled when half of it has arrived. Chunks that were asked for are not asked for again before
        nothing has come for the timeout, which then doubles while the window halves.

        Args:
            now: Monotonic seconds.
            budget: How many may be asked for at most.
        """
        if now >= self.progress + self._timeout and (self._asked or self._listening):
            self._give_up_waiting()
        if self._listening or not self._may_ask():
            return []
        if not self._asked:
            self.progress = now  # the wait for an answer begins with the question
            if not self._answered:
                self._timeout = max(self._timeout, FIRST_ANSWER_SECONDS * self._stretch)
        room = min(self.size - len(self._asked), budget)
        wanted: list[int] = []
        while len(wanted) < room and self._any_idle():
            index = self._idle.popleft()
            self._asked[index] = self._lost.pop(index, now)
            wanted.append(index)
        return sorted(wanted)

    def arrived(self, index: int, now: float) -> None:
        """Take note of a chunk: learn the link's pace, and widen a window half of which came without a loss."""
        self.missing.remove(index)
        asked = self._asked.pop(index, None)
        asked = self._lost.pop(index, None) if asked is None else asked
        self._answered = True
        if asked is not None:  # on a slow link the time of an answer is mostly the window's own length
            self._round_trip = max(now - asked, 0.8 * self._round_trip + 0.2 * (now - asked))
            self._grow()
        patience = max(REREQUEST_SECONDS, _PATIENCE * self._round_trip)
        self._timeout = self._stretch * min(patience, MAX_REREQUEST_SECONDS)
        self.progress = now

    def _grow(self) -> None:
        """Widen by one for every chunk until the first loss, then for every clean half of the window."""
        self._clean += 1
        if self._round_trip <= GROW_BELOW_SECONDS and (self._untried or self._clean >= self.size // 2):
            self.size, self._clean = min(self.size + 1, MAX_WINDOW_CHUNKS), 0

    def wave_ended(self, now: float) -> None:
        """Stop listening: the broadcast's last chunk has come; what it left out is asked for after the jitter."""
        if self._listening:
            self._timeout = REREQUEST_SECONDS * (self._stretch - 1.0)
            self.progress = now

    def reconnected(self, now: float) -> None:
        """Ask at once for everything that was under way: a lost connection lost it."""
        self._return_asked()
        self._lost.clear()
        self._clean, self._listening = 0, False
        patience = max(REREQUEST_SECONDS, _PATIENCE * self._round_trip)  # the link is as slow as it was
        self._timeout = self._stretch * min(patience, MAX_REREQUEST_SECONDS)
        self.progress = now

    def _give_up_waiting(self) -> None:
        if self._listening:  # nothing was asked for, so nothing was lost by the link
            self._listening = False
            self._timeout = REREQUEST_SECONDS * self._stretch
            return
        self._lost |= self._asked
        self._untried = False
        self._return_asked()
        self.size, self._clean = max(self.size // 2, MIN_WINDOW_CHUNKS), 0
        self._timeout = self._stretch * min(2 * self._timeout / self._stretch, MAX_REREQUEST_SECONDS)

    def _return_asked(self) -> None:
        self._idle.extendleft(sorted(self._asked, reverse=True))
        self._asked.clear()

    def _may_ask(self) -> bool:
        return len(self._asked) <= self.size // 2 and self._any_idle()

    def _any_idle(self) -> bool:
        while self._idle and self._idle[0] not in self.missing:
            self._idle.popleft()
        return bool(self._idle)
