"""A client played by a test: it speaks the protocol and says whatever it is told to."""

import time
from typing import TypeVar

from msgspec import Struct

from shared.blobs import BlobStore
from shared.encoding import encode_update
from shared.exchange import Exchange, Received
from shared.messages import (
    ClientFigures,
    Command,
    CoordinatorPresence,
    FinalReport,
    FinishTask,
    Goodbye,
    Presence,
    TrainTask,
    UpdateOffer,
    decode_message,
)
from shared.tensors import Tensors, decode
from shared.topics import agent_filters
from tests.simulation import NO_MODEL, Simulation

Kind = TypeVar("Kind", bound=Struct)

PATIENCE_SECONDS = 40.0


class Puppet:
    """One client of a simulation, online as soon as it exists."""

    def __init__(self, simulation: Simulation, client: str) -> None:
        federation = simulation.settings.federation
        self.client = client
        self.simulation = simulation
        self.blobs = BlobStore(simulation.folder / "puppets" / client)
        self.exchange = Exchange(
            simulation.connect(agent_filters(federation, client)),
            federation=federation,
            outgoing="up",
            blobs=self.blobs,
        )
        self.say(Presence(client=client, state="ready", session=client))

    def say(self, message: Struct) -> None:
        """Send a message as an agent would."""
        self.exchange.send(self.client, "status" if isinstance(message, Presence) else "manifest", message)

    def hear(self, kind: type[Kind]) -> Kind:
        """Return the next command of one kind, serving what was offered meanwhile; others are passed over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            event = self.exchange.poll(0.2)
            if isinstance(event, Received):
                message = decode_message(
                    event.payload,
                    Command if event.channel == "cmd" else CoordinatorPresence,  # type: ignore[arg-type]
                )
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"{self.client} heard no {kind.__name__}")

    def model(self, task: TrainTask) -> Tensors:
        """Return the task's model, read from the coordinator's own folder rather than pulled."""
        return decode(BlobStore(self.simulation.paths.blobs).get(task.model.blob))

    def classifier(self) -> bytes:
        """Return the frozen classifier's file, likewise."""
        federation = self.simulation.store.federation()
        assert federation is not None
        return BlobStore(self.simulation.paths.blobs).get(federation.etf_blob)

    def update(self, task: TrainTask, payload: Tensors | bytes) -> UpdateOffer:
        """Return an honest offer of any bytes, which stand ready to be pulled."""
        codec = self.simulation.settings.update.codec
        blob = self.blobs.put(payload if isinstance(payload, bytes) else encode_update(payload, codec))
        return UpdateOffer(
            client=self.client,
            round=task.round,
            base=task.model.blob,
            num_examples=5,
            payload=self.exchange.offer(blob, codec=codec),
            figures=ClientFigures(num_images=0),
        )

    def leave(self) -> None:
        """Report as an agent does at the end, and go when the goodbye has come."""
        task = self.hear(FinishTask)
        figures = ClientFigures(num_images=0)
        self.say(FinalReport(client=self.client, round=task.round, figures=figures, onnx=NO_MODEL, head_note="played"))
        self.hear(Goodbye)
        self.say(Presence(client=self.client, state="offline", session=self.client))
        self.exchange.transport.close()
