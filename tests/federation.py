"""A small federation of real processes in one folder, watched through its database."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from cloud.demo.client_folders import write_client_folders
from cloud.settings import BrokerSettings, FederationFile, ParticipationSettings, paths_of
from cloud.store.sql import SqlRoundStore, open_reader
from cloud.template import render
from shared.errors import StoreError
from shared.lifeline import end, spawn
from shared.settings import ModelSettings, TrainingSettings
from shared.shards import ClientData
from tests.tiny_clients import CLASS_NAMES, IMAGE_SIZE, tiny_clients
from tests.waiting import wait_until

PATIENCE_SECONDS = 150.0
"""For processes that load torch on a machine that is busy otherwise; on an idle one everything takes a tenth of it."""


def tiny_settings(
    *, rounds: int = 3, broker: BrokerSettings | None = None, participation: ParticipationSettings | None = None
) -> FederationFile:
    """Settings of a federation whose rounds take well below a second."""
    return FederationFile(
        federation="tiny",
        class_names=CLASS_NAMES,
        rounds=rounds,
        seed=7,
        model=ModelSettings(backbone="resnet8", image_size=IMAGE_SIZE, channels=1),
        training=TrainingSettings(local_epochs=1, batch_size=16, crop_padding=1, horizontal_flip=False),
        participation=ParticipationSettings(clients=3) if participation is None else participation,
        broker=BrokerSettings() if broker is None else broker,
    )


class Federation:
    """One federation and its processes; as a context manager it leaves none behind.

    Args:
        folder: For everything: images, federation file, coordinator, agents, logs.
        settings: Of the federation.
        clients: Who has which images.
        environment: Further variables of every process.
    """

    def __init__(
        self,
        folder: Path,
        settings: FederationFile,
        *,
        clients: Sequence[ClientData] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        dealt = clients or tiny_clients()
        self.folder = folder
        self.settings = settings
        self.clients = [data.client for data in dealt]
        self.images = write_client_folders(dealt, folder / "images")
        self.file = folder / "federation.toml"
        self.file.write_text(render(settings))
        self.paths = paths_of(self.file, settings)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ended: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {"OMP_NUM_THREADS": "1"} | dict(environment or {})
        self._reader: SqlRoundStore | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()
        for process in [*self.processes.values(), *self._ended]:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)  # a stopped process hears no SIGTERM
            process.terminate()
        for process in [*self.processes.values(), *self._ended]:
            end(process)

    def start(self) -> None:
        """Start the coordinator and every agent."""
        self.start_coordinator()
        for client in self.clients:
            self.start_agent(client)

    def start_coordinator(self) -> None:
        """Start the coordinator, also again; return when its agents can be started."""
        self._spawn("coordinator", ["cloud", "start", self.file])
        self.until(self.paths.join_file.exists, "join.json is written")

    def start_agent(self, client: str) -> None:
        """Start one agent, also again."""
        words: list[str | Path] = ["edge", "run", "--join", self.paths.join_file, "--client", client]
        words += ["--data", f"folder:{self.images[client]}", "--state", self.state(client), "--device", "cpu"]
        self._spawn(client, words)

    def _spawn(self, name: str, words: Sequence[str | Path]) -> None:
        if name in self.processes:
            self._ended.append(self.processes[name])
        arguments = [sys.executable, "-m", "shared.cli", *words, "--exit-with-parent"]
        self.processes[name] = spawn(arguments, log_path=self._log(name), environment=self._environment)

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def state(self, client: str) -> Path:
        """Return an agent's state folder."""
        return self.folder / "agents" / client

    def said(self, name: str) -> str:
        """Return what a process has printed in all its lives."""
        return self._log(name).read_text() if self._log(name).exists() else ""

    def signal(self, name: str, number: int) -> None:
        """Send a signal to one process; wait for its end where the signal is SIGKILL."""
        self.processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self.processes[name].wait(PATIENCE_SECONDS)

    def until(self, condition: object, what: str) -> None:
        """Wait for a condition; fail with everybody's words when it never holds."""
        assert callable(condition)
        try:
            wait_until(condition, what, seconds=PATIENCE_SECONDS)
        except AssertionError as error:
            words = "\n".join(f"--- {name}\n{self.said(name)}" for name in self.processes)
            raise AssertionError(f"{error}\n{words}") from None

    def wait(self, name: str) -> int:
        """Wait for a process to end by itself; return its exit code."""
        self.until(lambda: self.processes[name].poll() is not None, f"{name} ends")
        return self.processes[name].returncode

    def run_to_end(self) -> str:
        """Wait until coordinator and agents are through; return the digest of the final shared tensors."""
        for name in ["coordinator", *self.clients]:
            assert self.wait(name) == 0, self.said(name)
        return self.digest()

    @property
    def store(self) -> SqlRoundStore:
        """The database, opened for reading as soon as there is one."""
        if self._reader is None:
            self.until(self._open, "the database is there")
        assert self._reader is not None
        return self._reader

    def _open(self) -> bool:
        try:
            self._reader = open_reader(self.paths.database)
        except StoreError:  # not created or not migrated yet
            return False
        return True

    def digest(self) -> str:
        """Return the digest of the last committed shared tensors."""
        return self.store.last_committed().blob

    def states(self, round_number: int) -> dict[str, str]:
        """Return what became of each participant of a round."""
        row = self.store.round(round_number)
        return {} if row is None else {part.client: part.state for part in row.participants}

    def committed(self) -> list[int]:
        """Return the numbers of the committed rounds, as the database has them."""
        return [row.plan.round_number for row in self.store.rounds() if row.state == "committed"]
