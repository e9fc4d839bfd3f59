"""A federation in threads whose parts die where a test says, by dropping all they know, and start again from disk."""

import concurrent.futures
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import cloud.start
from cloud.release import Release
from cloud.settings import ParticipationSettings
from cloud.store.sql import SqlRoundStore
from edge.work import Work
from shared.crash_points import Place, watched
from shared.memory import MemoryTransport
from tests.crash.points import Point, noun_of
from tests.crash.quick_export import export_quickly
from tests.federation import tiny_settings
from tests.simulation import QuietWork, Simulation, in_memory
from tests.tiny_clients import tiny_clients

CLIENTS = tiny_clients()[1:]
"""Two clients that train in milliseconds: five images, and one."""

RUN_SECONDS = 240.0
"""A run that takes longer hangs: an idle machine takes a tenth of it."""

SILENT_SECONDS = 5.0
"""Without the coordinator, an agent that lives this long waits for a goodbye; idle machines need a tenth of it."""


class Died(BaseException):
    """This part of the federation is dead; nothing it still does counts."""


class OneAtATime(QuietWork):
    """A device that also exports, as every device does."""

    _report = Work._report


class Mortal(Simulation):
    """One federation; ``run`` lets it die and live again until it is complete.

    Args:
        folder: For everything.
        rounds: To train.
        deaths: Groups of points, each killing the process that passes it first. A group is armed when the one before
            it has happened.
        settle: Let a round be committed between two groups, so that each begins where nothing is disturbed.
        outages: Kill the broker at these points instead of the process that passes them.
        after_death: Called with the dead part's folder before it starts again: what a power cut would do to it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rounds: int,
        deaths: Iterable[Collection[Point]] = (),
        settle: bool = True,
        outages: bool = False,
        after_death: Callable[[Path], object] = lambda _: None,
    ) -> None:
        participation = ParticipationSettings(clients=len(CLIENTS))
        settings = tiny_settings(rounds=rounds, broker=in_memory(), participation=participation)
        super().__init__(
            folder, settings, clients=CLIENTS, works=dict.fromkeys((d.client for d in CLIENTS), OneAtATime)
        )
        self.happened: list[Point] = []
        self.passed: list[Point] = []
        self._after_death = after_death
        self._settle = settle
        self._outages = outages
        self._groups = [set(group) for group in deaths]
        self._armed: set[Point] = self._groups.pop(0) if self._groups else set()
        self._lock = threading.Lock()
        self._dead: set[threading.Thread] = set()
        self._transports: dict[threading.Thread, MemoryTransport] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        self._patches.setattr(cloud.start, "Release", Release)
        export_quickly(self._patches)
        self._watching = watched(self._watch)
        self._watching.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._watching.__exit__(None, None, None)

    def connect(self, filters: Sequence[str], will: tuple[str, bytes] | None = None) -> MemoryTransport:
        """Join as usual; the transport dies with its thread."""
        transport = super().connect(filters, will)
        self._transports[threading.current_thread()] = transport
        return transport

    def _watch(self, place: Place, concerning: object) -> None:
        me = threading.current_thread()
        if me in self._dead:  # a `finally` block of a process that no longer exists
            raise Died
        point = Point(me.name, place, noun_of(concerning))
        with self._lock:
            self.passed.append(point)
            hit = point in self._armed
            if hit:
                self._armed.discard(point)
                self.happened.append(point)
            if not self._armed and self._groups and (not self._settle or (point == COMMITTED and not hit)):
                self._armed = self._groups.pop(0)
        if hit and self._outages:
            self.broker.restart()
        elif hit:
            self._dead.add(me)
            if me in self._transports:
                self._transports[me].abandon()
            raise Died

    def run(self) -> str:
        """Start everything, start again what died, until all is over; return the final digest."""
        deadline = time.monotonic() + RUN_SECONDS
        while self.start_coordinator() and not self.paths.join_file.exists():
            self._bury("coordinator")
        for client in self.clients:
            self.start_agent(client)
        while running := {name: future for name, future in self.running.items() if not _succeeded(future)}:
            complete = "coordinator" not in running
            left = max(0.0, deadline - time.monotonic())
            done, _ = concurrent.futures.wait(
                running.values(), min(left, SILENT_SECONDS) if complete else left, "FIRST_COMPLETED"
            )
            assert done or (complete and left > 0), (
                f"hangs: {sorted(running)} after {[str(point) for point in self.happened[-3:]]}"
            )
            for name, future in running.items():
                if future.done() and not _succeeded(future):
                    self._bury(name)
                    self._start_again(name)
            if complete and not done:  # its goodbye was lost: it is said at the next start
                self.start_coordinator()
        for future in self.running.values():
            outcome = future.result()
            if isinstance(outcome, SqlRoundStore):
                outcome.close()
        return self.store.last_committed().blob

    def _bury(self, name: str) -> None:
        """Wait for the end of what died, and fail where it failed instead."""
        error = self.running[name].exception(RUN_SECONDS)
        thread = self._threads[name]
        thread.join(RUN_SECONDS)
        if thread not in self._dead:
            raise AssertionError(f"{name} failed after {[str(point) for point in self.happened[-3:]]}") from error
        self._after_death(self.paths.folder if name == "coordinator" else self.state(name))

    def _start_again(self, name: str) -> None:
        if name == "coordinator":
            self.start_coordinator()
        else:
            self.start_agent(name)


COMMITTED = Point("coordinator", "sql.committed", "commit")


def _succeeded(future: "Future[Any]") -> bool:
    return future.done() and future.exception() is None
