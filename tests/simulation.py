"""The product in one process: the real coordinator and agents in threads, over the transport without a network."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import pytest

import cloud.start
import edge.start
from cloud.demo.client_folders import write_client_folders
from cloud.release import Release
from cloud.settings import BrokerSettings, FederationFile, paths_of
from cloud.store.rows import RoundResult
from cloud.store.sql import SqlRoundStore, open_reader
from cloud.template import render
from edge.device_data import DeviceData
from edge.finish import Finished
from edge.journal import TrainedRound
from edge.start import AgentSettings, run_agent
from edge.work import Work
from shared.endpoint import Endpoint
from shared.errors import StoreError
from shared.memory import MemoryBroker, MemoryTransport
from shared.messages import FinalReport, FinishTask, TrainTask
from shared.model import SharedModel
from shared.settings import SharedSettings
from shared.shards import ClientData
from shared.transport import Message
from tests.tiny_clients import tiny_clients
from tests.waiting import wait_until

PATIENCE_SECONDS = 180.0
"""For a whole federation of a few rounds on a busy machine, also over a bad network; idle, it takes seconds."""

IN_MEMORY = "mqtt://memory.invalid"
"""The broker's URL where no network is wanted: nothing connects to it."""

NO_MODEL = "0" * 64
"""Digest reported by agents that export nothing."""

_ONE_AT_A_TIME = threading.Lock()
"""Agents of one process take turns: torch's settings are the process's."""


class QuietRelease(Release):
    """Exports nothing: seconds per model, and no part of these claims."""

    def write_bundle(self, result: RoundResult) -> None:
        """Write nothing."""

    def export_generic(self, result: RoundResult, evaluator: object) -> str:
        """Export nothing."""
        del result, evaluator
        return "no file"


class QuietWork(Work):
    """A device's work without the export, and one device at a time."""

    def train(self, task: TrainTask) -> TrainedRound:
        """Train as every device does."""
        with _ONE_AT_A_TIME:
            return super().train(task)

    def finish(self, task: FinishTask) -> FinalReport:
        """Realign and measure as every device does."""
        with _ONE_AT_A_TIME:
            return super().finish(task)

    def _report(
        self, task: FinishTask, settings: SharedSettings, model: SharedModel, finished: Finished, data: DeviceData
    ) -> FinalReport:
        del settings, model, data
        edge.work.store_personal(finished.personal, self.heads)
        return FinalReport(
            client=self.client,
            round=task.round,
            figures=finished.figures,
            onnx=NO_MODEL,
            head_note=finished.head_note,
        )


class Interrupted(Exception):  # noqa: N818 - as KeyboardInterrupt is called
    """The simulation was left while this part of it still ran."""


class Simulation:
    """One federation in threads; as a context manager it leaves none behind.

    Args:
        folder: For everything.
        settings: Of the federation; its broker is ``IN_MEMORY``, or a real one that serves.
        clients: Who has which images.
        works: Another kind of device for some of them.
    """

    def __init__(
        self,
        folder: Path,
        settings: FederationFile,
        *,
        clients: Sequence[ClientData] = (),
        works: "Mapping[str, type[Work] | Callable[..., Work]] | None" = None,
    ) -> None:
        dealt = clients or tiny_clients()
        self.clients = [data.client for data in dealt]
        self.settings = settings
        self.folder = folder
        self.images = write_client_folders(dealt, folder / "images")
        self.file = folder / "federation.toml"
        self.file.write_text(render(settings))
        self.paths = paths_of(self.file, settings)
        self.broker = MemoryBroker()
        self.running: dict[str, Future[Any]] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._works = dict(works or {})
        self._left = threading.Event()
        self._patches = pytest.MonkeyPatch()
        self._reader: SqlRoundStore | None = None

    def __enter__(self) -> Self:
        patch = self._patches.setattr
        patch(cloud.start, "Release", QuietRelease)
        patch(edge.start, "Work", self._work)
        if self.settings.broker.url == IN_MEMORY:
            patch(cloud.start, "connect", self._connect)
            patch(edge.start, "connect", self._connect)
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        for future in self.running.values():
            future.exception(PATIENCE_SECONDS)
        self._patches.undo()
        if self._reader is not None:
            self._reader.close()

    def _work(self, **arguments: Any) -> Work:
        return self._works.get(arguments["client"], QuietWork)(**arguments)

    def _connect(
        self,
        endpoint: Endpoint,
        *,
        client_id: str,
        filters: Sequence[str],
        will: tuple[str, bytes] | None = None,
        will_delay_seconds: int = 0,
    ) -> MemoryTransport:
        del endpoint, client_id, will_delay_seconds
        return self.connect(filters, will)

    def connect(self, filters: Sequence[str], will: tuple[str, bytes] | None = None) -> MemoryTransport:
        """Join the memory's broker as anybody could."""
        transport = self.broker.connect(filters=filters, will=will)
        receive = transport.receive

        def receive_unless_left(timeout_seconds: float) -> Message | None:
            if self._left.is_set():
                raise Interrupted
            return receive(min(timeout_seconds, 0.5))

        transport.receive = receive_unless_left  # type: ignore[method-assign]
        return transport

    def start_coordinator(self) -> "Future[Any]":
        """Start the coordinator in a thread, and wait until agents can join."""
        future = self._start("coordinator", cloud.start.start, self.file)
        wait_until(lambda: self.paths.join_file.exists() or future.done(), "join.json is written")
        return future

    def start_agent(self, client: str) -> "Future[Any]":
        """Start an agent in a thread."""
        settings = AgentSettings(
            join_file=self.paths.join_file,
            data_spec=f"folder:{self.images[client]}",
            state=self.state(client),
            client=client,
            device="cpu",
            patience_seconds=PATIENCE_SECONDS,
        )
        return self._start(client, run_agent, settings)

    def state(self, client: str) -> Path:
        """Return an agent's state folder."""
        return self.folder / "agents" / client

    def _start(self, name: str, work: Callable[..., Any], *arguments: object) -> "Future[Any]":
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work(*arguments))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                future.set_exception(error)

        self._threads[name] = threading.Thread(target=run, name=name, daemon=True)
        self._threads[name].start()
        self.running[name] = future
        return future

    def run_to_end(self, *clients: str) -> str:
        """Start the coordinator and the agents, wait for all; return the digest of the final shared tensors."""
        self.start_coordinator()
        for client in clients or self.clients:
            self.start_agent(client)
        return self.finish()

    def finish(self) -> str:
        """Wait for everything that runs; return the digest of the final shared tensors."""
        for future in self.running.values():
            outcome = future.result(PATIENCE_SECONDS)
            if isinstance(outcome, SqlRoundStore):
                outcome.close()
        return self.store.last_committed().blob

    @property
    def store(self) -> SqlRoundStore:
        """The database, opened for reading."""
        if self._reader is None:
            wait_until(self._open, "the database is there")
        assert self._reader is not None
        return self._reader

    def _open(self) -> bool:
        try:
            self._reader = open_reader(self.paths.database)
        except StoreError:
            return False
        return True

    def states(self, round_number: int) -> dict[str, str]:
        """Return what became of each participant of a round."""
        row = self.store.round(round_number)
        return {} if row is None else {part.client: part.state for part in row.participants}


def in_memory() -> BrokerSettings:
    """Return broker settings for a simulation without a network."""
    return BrokerSettings(url=IN_MEMORY)
