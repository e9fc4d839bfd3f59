"""A federation of real processes that are killed by their script, by SIGKILL, and started again."""

import os
import signal
import time
from collections.abc import Callable, Collection
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

from cloud.demo.client_folders import write_client_folders
from cloud.settings import BrokerSettings, FederationPaths, ParticipationSettings, paths_of
from cloud.store.sql import SqlRoundStore, open_reader
from cloud.template import render
from shared.endpoint import Endpoint
from tests.crash import warm
from tests.crash.mortal import CLIENTS, SILENT_SECONDS
from tests.crash.points import Point
from tests.crash.script import Script
from tests.federation import tiny_settings

RUN_SECONDS = 150.0
"""For two dozen deaths: an idle machine takes a third of it."""


class Killable:
    """One federation over a real broker; as a context manager it leaves no process behind.

    Args:
        folder: For everything.
        endpoint: The broker, with its account.
        rounds: To train.
        script: Who dies where, in order.
        settle_until: Before each of this many first deaths a round is committed undisturbed.
        exporting: Who really exports; the others do it by ``export_quickly``, which takes no time.
        limit_seconds: A run that takes longer hangs.
        on_death: Called after every death with its number: kills the broker as well, for instance.
    """

    def __init__(
        self,
        folder: Path,
        endpoint: Endpoint,
        *,
        rounds: int,
        script: list[Point],
        settle_until: int,
        exporting: Collection[str] = (),
        on_death: Callable[[int], object] = lambda _: None,
        limit_seconds: float = RUN_SECONDS,
    ) -> None:
        os.environ["FEDLOGE_BROKER_USERNAME"] = str(endpoint.username)
        os.environ["FEDLOGE_BROKER_PASSWORD"] = str(endpoint.password)
        settings = tiny_settings(
            rounds=rounds,
            broker=BrokerSettings(url=endpoint.url),
            participation=ParticipationSettings(clients=len(CLIENTS)),
        )
        self.folder = folder
        self.settings = settings
        self.clients = [data.client for data in CLIENTS]
        self.images = write_client_folders(CLIENTS, folder / "images")
        self.file = folder / "federation.toml"
        self.file.write_text(render(settings))
        self.paths: FederationPaths = paths_of(self.file, settings)
        self.processes: dict[str, BaseProcess] = {}
        self._on_death = on_death
        self._limit_seconds = limit_seconds
        self._exporting = exporting
        self._reader: SqlRoundStore | None = None
        self._script = folder / "script"
        Script.write(self._script, script, settle_until=settle_until)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.join()
        if self._reader is not None:
            self._reader.close()

    def state(self, client: str) -> Path:
        """Return an agent's state folder."""
        return self.folder / "agents" / client

    @property
    def deaths(self) -> int:
        """How many have died."""
        return Script.happened(self._script)

    def _start(self, name: str) -> None:
        words = ["cloud", "start", str(self.file)]
        if name != "coordinator":
            words = ["edge", "run", "--join", str(self.paths.join_file), "--client", name, "--device", "cpu"]
            words += ["--data", f"folder:{self.images[name]}", "--state", str(self.state(name))]
        self.processes[name] = warm.start(
            name, words, log=self._log(name), script=self._script, quick=name not in self._exporting
        )

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def run(self) -> None:
        """Start everything, start again what was killed, until all is over."""
        end = time.monotonic() + self._limit_seconds
        self._start("coordinator")
        while not self.paths.join_file.exists():
            assert time.monotonic() < end, self._words("no join file")
            if self.processes["coordinator"].exitcode is not None:
                self._again("coordinator")
            wait([self.processes["coordinator"].sentinel], 0.02)
        for client in self.clients:
            self._start(client)
        silent_since = time.monotonic()
        while running := {name: process for name, process in self.processes.items() if process.exitcode != 0}:
            ended = [name for name, process in running.items() if process.exitcode is not None]
            for name in ended:
                self._again(name)
            assert time.monotonic() < end, self._words(f"{sorted(running)} hang after {self.deaths} deaths")
            ready = wait([process.sentinel for process in running.values()], 0.5)
            silent_since = time.monotonic() if ended or ready or "coordinator" in running else silent_since
            if time.monotonic() - silent_since > SILENT_SECONDS:  # its goodbye was lost: it is said at the next start
                self._start("coordinator")

    def _again(self, name: str) -> None:
        process = self.processes[name]
        process.join()
        assert process.exitcode == -signal.SIGKILL, self._words(f"{name} ended with {process.exitcode}")
        self._on_death(self.deaths)
        self._start(name)

    def _words(self, what: str) -> str:
        logs = [f"--- {name}\n{self._log(name).read_text()[-3000:]}" for name in self.processes]
        return "\n".join([what, *logs])

    @property
    def store(self) -> SqlRoundStore:
        """The database, opened for reading."""
        if self._reader is None:
            self._reader = open_reader(self.paths.database)
        return self._reader
