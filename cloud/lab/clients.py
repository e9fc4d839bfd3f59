"""The lab's devices: the real agent and its real work on images that are in memory already; nothing is exported."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch

from cloud.lab.turns import LabClock
from edge.agent import Agent
from edge.device_data import DeviceData
from edge.finish import Finished
from edge.journal import Journal
from edge.personal import Personal, load_personal
from edge.work import Work
from shared.blobs import BlobStore
from shared.exchange import Exchange
from shared.images import LabelledImages
from shared.memory import MemoryBroker
from shared.messages import FinalReport, FinishTask
from shared.model import SharedModel
from shared.settings import SharedSettings
from shared.shards import ClientData
from shared.topics import agent_filters

NO_MODEL: Final = "0" * 64
"""The digest a client reports where nothing is exported."""


@dataclass(slots=True)
class LabWork(Work):
    """A device's work on images that were dealt to it in memory.

    Attributes:
        dealt: Its images.
        finished: Its personal model, once there is one.
    """

    dealt: ClientData = field(kw_only=True)
    finished: Finished | None = None

    def kept(self) -> Personal | None:
        """Return the personal part after the client's last round, or at the end; None before its first."""
        if self.finished is not None:
            return self.finished.personal
        last = self.journal.before(sys.maxsize)
        return None if last is None else load_personal(last.phi_blob, self.heads)

    def _load(self, settings: SharedSettings) -> DeviceData:
        """Return the dealt images; none is held out, since the lab measures all clients in one pass."""
        del settings
        train = as_on_a_device(self.dealt.train)
        nothing = torch.empty(0, dtype=torch.int64)
        empty = LabelledImages(images=train.images[:0], labels=nothing, class_names=train.class_names)
        return DeviceData(train=train, held_out=empty)

    def _report(
        self, task: FinishTask, settings: SharedSettings, model: SharedModel, finished: Finished, data: DeviceData
    ) -> FinalReport:
        """Keep the personal model instead of exporting it."""
        del settings, model, data
        self.finished = finished
        return FinalReport(
            client=self.client,
            round=task.round,
            figures=finished.figures,
            onnx=NO_MODEL,
            head_note=finished.head_note,
        )


def as_on_a_device(images: LabelledImages) -> LabelledImages:
    """Return images in the order in which a device reads its folder, class by class in the order of the names.

    Batches are drawn from that order: in another one, the lab would train another model than a real federation.
    """
    names = images.class_names
    ranks = torch.tensor([sorted(names).index(name) for name in names], dtype=torch.int64)
    return images.select(ranks[images.labels].argsort(stable=True))


def seat(dealt: ClientData, *, federation: str, broker: MemoryBroker, folder: Path, clock: LabClock) -> Agent:
    """Return one client's agent, connected, with its own journal and files below ``folder``."""
    state = folder / dealt.client
    blobs = BlobStore(state / "blobs")
    journal = Journal(state / "agent.sqlite")
    journal.identify(dealt.client, federation)
    work = LabWork(
        client=dealt.client,
        data_spec="memory",
        state=state,
        journal=journal,
        blobs=blobs,
        heads=BlobStore(state / "heads"),
        device=torch.device("cpu"),
        dealt=dealt,
    )
    transport = broker.connect(filters=agent_filters(federation, dealt.client))
    exchange = Exchange(transport, federation=federation, outgoing="up", blobs=blobs, clock=clock)
    return Agent(
        client=dealt.client,
        exchange=exchange,
        work=work,
        session="lab",
        patience_seconds=float("inf"),
        clock=clock,
    )
