"""Agents that speak the whole protocol over connections of their own and train nothing: they offer a canned update."""

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from cloud.settings import FederationFile
from shared.blobs import BlobStore
from shared.chunks import describe
from shared.encoding import encode_update
from shared.exchange import Arrived, Exchange, Received, Reconnected
from shared.join import JoinFile, read_join
from shared.messages import (
    ClientFigures,
    Command,
    CoordinatorPresence,
    FinalReport,
    FinishTask,
    Goodbye,
    Manifest,
    Presence,
    Receipt,
    TrainTask,
    UpdateOffer,
    Welcome,
    decode_message,
)
from shared.model import initial_model, pack
from shared.mqtt import connect
from shared.topics import agent_filters

RESEND_SECONDS = 20.0
"""As for a real agent: what was not answered is said again."""


class LightAgent:
    """A client that trains nothing.

    Attributes:
        trained: Rounds it answered.
        receipts: Accepted updates by round, with how often that was said.
    """

    def __init__(self, join: JoinFile, client: str, folder: Path, blobs: BlobStore, update: Manifest) -> None:
        self.client = client
        self.update = update
        self.trained: set[int] = set()
        self.receipts: Counter[int] = Counter()
        transport = connect(join.endpoint(), client_id=client, filters=agent_filters(join.federation, client))
        self.exchange = Exchange(
            transport, federation=join.federation, outgoing="up", blobs=blobs, spool=BlobStore(folder / client)
        )
        self.exchange.offer(update.blob, codec=update.codec)
        self._task: TrainTask | None = None
        self._unanswered: Any = None
        self._said_at = 0.0
        self._coordinator = ""

    def run(self) -> None:
        """Serve until the goodbye."""
        self._greet()
        goodbye = False
        while not goodbye:
            event = self.exchange.poll(1.0)
            if isinstance(event, Arrived):
                self._answer()
            elif isinstance(event, Reconnected):
                self._greet()
            elif isinstance(event, Received) and event.channel == "status":
                self._coordinator_seen(decode_message(event.payload, CoordinatorPresence))
            elif isinstance(event, Received) and event.channel == "cmd":
                goodbye = self._obey(decode_message(event.payload, Command))  # type: ignore[arg-type]
            elif self._unanswered is not None and time.monotonic() - self._said_at > RESEND_SECONDS:
                self._say(self._unanswered)

    def _greet(self) -> None:
        self._say(Presence(client=self.client, state="online", session="light"))

    def _coordinator_seen(self, presence: CoordinatorPresence) -> None:
        if presence.state == "up" and presence.session != self._coordinator:
            self._coordinator = presence.session
            self.exchange.returned(self.client)
            self._greet()

    def _obey(self, message: Any) -> bool:
        self._unanswered = None
        if isinstance(message, Welcome):
            self.exchange.send(self.client, "status", Presence(client=self.client, state="ready", session="light"))
        elif isinstance(message, TrainTask) and message.round in self.trained:
            self._offer(message)
        elif isinstance(message, TrainTask):
            self._task = message
            self.exchange.pull(self.client, message.model, timeout_seconds=600, wave=message.wave)
        elif isinstance(message, FinishTask):
            figures = ClientFigures(num_images=0)
            self._say(
                FinalReport(client=self.client, round=message.round, figures=figures, onnx="0" * 64, head_note="light")
            )
        elif isinstance(message, Receipt):
            self.receipts[message.round] += message.accepted
        return isinstance(message, Goodbye)

    def _answer(self) -> None:
        """Offer the canned update for the round whose model has come."""
        if self._task is None or self._task.model.blob not in self.exchange.spool:
            return
        self.trained.add(self._task.round)
        self._offer(self._task)
        self.exchange.spool.discard(self._task.model.blob)
        self._task = None

    def _offer(self, task: TrainTask) -> None:
        self._say(
            UpdateOffer(
                client=self.client,
                round=task.round,
                base=task.model.blob,
                num_examples=10,
                payload=self.update,
                figures=ClientFigures(num_images=0),
            )
        )

    def _say(self, message: Any) -> None:
        self._unanswered, self._said_at = message, time.monotonic()
        self.exchange.send(self.client, "status" if isinstance(message, Presence) else "manifest", message)


def be_agents(join_file: str, folder: str, settings: FederationFile, first: int, count: int) -> None:
    """Be the process of ``count`` agents; leaves what each of them did in ``tally-FIRST.json``."""
    torch.set_num_threads(1)
    shared, join = settings.shared(), read_join(Path(join_file))
    draws = torch.Generator().manual_seed(0)
    delta = {name: 1e-3 * torch.randn(t.shape, generator=draws) for name, t in pack(initial_model(shared)).items()}
    blobs = BlobStore(Path(folder) / "canned")
    agents, threads = [], []
    for number in range(first, first + count):  # each of its own, or the coordinator would need to pull one only
        delta["psi.weight"].flatten()[0] = number
        update = blobs.path(blobs.put(encode_update(delta, shared.update.codec)))
        manifest = describe(update, codec=shared.update.codec)
        agents.append(LightAgent(join, f"light-{number:04d}", Path(folder) / "agents", blobs, manifest))
        threads.append(threading.Thread(target=agents[-1].run, daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
    said = {agent.client: {"trained": sorted(agent.trained), "receipts": agent.receipts} for agent in agents}
    (Path(folder) / f"tally-{first}.json").write_text(json.dumps(said))
