"""One run of the lab: the real coordinator and the real agents, in one thread, over the transport without a network."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cloud.coordinator import Coordinator
from cloud.evaluation import GenericEvaluator
from cloud.lab.clients import LabWork, seat
from cloud.lab.fleet import Fleet, Seen, fleet_of
from cloud.lab.measuring import Point, measure_point
from cloud.lab.silence import Silence
from cloud.lab.turns import CoordinatorTransport, LabClock, Table
from cloud.origin import start_or_resume
from cloud.release import Release
from cloud.settings import FederationFile, paths_of
from cloud.store.rows import Evaluation, RoundResult
from cloud.store.sql import SqlRoundStore, open_store
from edge.agent import Agent
from shared.blobs import BlobStore
from shared.exchange import Exchange
from shared.images import LabelledImages
from shared.memory import MemoryBroker
from shared.model import SharedModel, unpack
from shared.shards import Shards
from shared.tensors import decode
from shared.topics import coordinator_filters

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A federation after its last round.

    Attributes:
        store: Its record, open for reading.
        fleet: The clients and their tests.
        seen: The final model and personal parts on the test images.
        curve: Points of the learning curve by round; the last is the final model's.
    """

    store: SqlRoundStore
    fleet: Fleet
    seen: Seen
    curve: dict[int, Point]


class NothingReleased(Release):
    """Exports nothing: seconds per model, and no part of a study."""

    def write_bundle(self, result: RoundResult) -> None:
        """Write nothing."""

    def export_generic(self, result: RoundResult, evaluator: GenericEvaluator | None) -> str | None:
        """Export nothing."""
        del result, evaluator
        return None


@dataclass(slots=True, kw_only=True)
class CurveEvaluator:
    """Stands where a deployment's evaluator stands, and measures every few rounds, all clients, too.

    Attributes:
        fleet: The clients and their tests.
        works: Their personal parts.
        every: Rounds between two points.
        rounds: All rounds; the last one waits for the personal models that are made after it.
        told: Called after every round.
        curve: Points by round.
        images: None: nothing is exported here that would be proven on them.
    """

    fleet: Fleet
    works: dict[str, LabWork]
    every: int
    rounds: int
    told: Callable[[int, Point | None], None]
    curve: dict[int, Point] = field(default_factory=dict)
    images: LabelledImages | None = None
    _round: int = 0

    def evaluate(self, model: SharedModel) -> Evaluation | None:
        """Measure when it is due."""
        self._round += 1
        if self._round % self.every or self._round == self.rounds:
            self.told(self._round, None)
            return None
        point = self.curve[self._round] = measure_point(self.fleet, self.fleet.see(model, self.works))
        self.told(self._round, point)
        return Evaluation(accuracy=point.gm)


def train(
    settings: FederationFile,
    shards: Shards,
    *,
    folder: Path,
    evaluate_every: int,
    told: Callable[[int, Point | None], None],
) -> Trained:
    """Run all rounds and make every client's personal model.

    Args:
        settings: The federation.
        shards: Dealt with images of new classes.
        folder: For the database, the models and the agents' journals.
        evaluate_every: Rounds between two points of the learning curve.
        told: Called after every round, with its point where it was measured.
    """
    torch.set_num_threads(settings.training.threads)
    shared, paths = settings.shared(), paths_of(folder / "federation.toml", settings)
    clock, broker = LabClock(), MemoryBroker()
    blobs, store = BlobStore(paths.blobs), open_store(paths.database)
    origin = start_or_resume(settings, store, blobs, say=log.info)
    etf = decode(blobs.get(origin.etf_blob))["etf"]
    fleet = fleet_of(shards, shared, etf)
    with ExitStack() as stack:
        agents = [
            seat(c, federation=shared.federation, broker=broker, folder=folder, clock=clock) for c in shards.clients
        ]
        works = {agent.client: work for agent in agents if isinstance(work := agent.work, LabWork)}
        for work in works.values():
            stack.callback(work.journal.close)
        evaluator = CurveEvaluator(fleet=fleet, works=works, every=evaluate_every, rounds=settings.rounds, told=told)
        coordinator = Coordinator(
            settings=settings,
            store=store,
            exchange=Exchange(
                _coordinators_end(shared.federation, broker, agents, clock),
                federation=shared.federation,
                outgoing="down",
                blobs=blobs,
                spool=BlobStore(paths.spool),
                clock=clock,
            ),
            release=NothingReleased(
                settings=shared,
                paths=paths,
                blobs=blobs,
                store=store,
                etf=etf,
                etf_blob=origin.etf_blob,
                evaluation_spec=None,
            ),
            evaluator=evaluator,
            session="lab",
            progress=Silence(settings.rounds),
            upkeep=lambda: None,
            clock=clock,
        )
        for agent in agents:
            agent.begin()
        coordinator.run()
        seen = fleet.see(unpack(decode(blobs.get(store.last_committed().blob))), works)
    curve = evaluator.curve | {settings.rounds: measure_point(fleet, seen)}
    return Trained(store=store, fleet=fleet, seen=seen, curve=curve)


def _coordinators_end(
    federation: str, broker: MemoryBroker, agents: list[Agent], clock: LabClock
) -> CoordinatorTransport:
    transport = CoordinatorTransport(broker, coordinator_filters(federation), Table(broker, list(agents)), clock)
    broker.attach(transport)
    return transport
