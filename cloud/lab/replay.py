"""``lab replay``: train every committed round again from the record, and compare each model's digest.

A round's model follows from the model before it, the images, and who was accepted; so a round that closed at its quorum
replays like any other. What is not on record is whether a client trained that was never heard of. Its personal part
would have moved, and where updates lean on it, which only FedRep's do, a later update of that client differs.
"""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from cloud.aggregate import WeightedMean
from cloud.lab.recording import Recording
from cloud.store.rows import Participant, RoundRow
from edge.device_data import DeviceData, load_device_data
from edge.personal import Personal
from edge.round import RoundOutcome, run_round
from shared.blobs import BlobStore
from shared.encoding import decode_update, encode_update
from shared.errors import DataError, ReplayError
from shared.frozen import frozen_classifier
from shared.methods import recipe_of
from shared.model import SharedModel, initial_model, pack, unpack
from shared.settings import Codec, ReportSettings, SharedSettings
from shared.tensors import Tensors, decode, digest

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRound:
    """One round, trained again.

    Attributes:
        round: Its number; 0 is the initial model.
        recorded: SHA-256 of the model on record.
        replayed: Of the replayed one.
        clients: Whose updates were folded, in order.
        differing: Those among them whose update is not, byte for byte, the recorded one.
    """

    round: int
    recorded: str
    replayed: str
    clients: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the replay gave the recorded model."""
        return self.recorded == self.replayed


@dataclass(slots=True, kw_only=True)
class _Fleet:
    """The clients of a replay, their images read when first wanted."""

    settings: SharedSettings
    etf: Tensor
    images: dict[str, Path]
    personal: dict[str, Personal] = field(default_factory=dict)
    _data: dict[str, DeviceData] = field(default_factory=dict)

    def train(self, client: str, model: SharedModel, round_number: int) -> RoundOutcome:
        """Run one client's round, and keep its personal part for the next."""
        if client not in self._data:
            self._data[client] = load_device_data(f"folder:{self.images[client]}", self.settings, client)
        outcome = run_round(
            model,
            etf=self.etf,
            personal=self.personal.get(client),
            data=self._data[client],
            settings=self.settings,
            round_number=round_number,
            client=client,
            device=CPU,
        )
        self.personal[client] = outcome.personal
        return outcome


def replay(recording: Recording, told: Callable[[str, ReplayedRound | None], None]) -> tuple[ReplayedRound, ...]:
    """Replay the committed rounds up to the first that differs.

    Args:
        recording: What was recorded.
        told: Called with a client's name after every update, and with a round at its end.

    Returns:
        Round 0, the initial model, and the rounds after it; only the last one may differ.

    Raises:
        DataError: A client's images cannot be read, or are not as many as it trained on.
        ReplayError: The frozen classifier cannot be had as it was.
    """
    torch.set_num_threads(recording.settings.training.threads)
    # Measuring a received model gives figures only; a replay has no use for them.
    settings = msgspec.structs.replace(recording.settings.shared(), report=ReportSettings(received=False))
    fleet = _Fleet(settings=settings, etf=_classifier(recording, settings), images=dict(recording.images))
    model = initial_model(settings)
    first = recording.rounds[0].plan.base_blob
    done = [ReplayedRound(round=0, recorded=first, replayed=digest(pack(model)))]
    for row in recording.rounds:
        if not done[-1].same:
            break
        model, replayed = _replay_round(row, model, fleet, told)
        done.append(replayed)
        told("", replayed)
    return tuple(done)


def _classifier(recording: Recording, settings: SharedSettings) -> Tensor:
    """Return the frozen classifier, built again; where this processor builds another, the one that was kept."""
    etf, _ = frozen_classifier(settings)
    if digest({"etf": etf}) == recording.etf_blob:
        return etf
    if (recording.paths.blobs / recording.etf_blob).is_file():
        return decode(BlobStore(recording.paths.blobs).get(recording.etf_blob))["etf"]
    raise ReplayError(
        f"the frozen classifier {recording.etf_blob[:12]} is not in {recording.paths.blobs}, and this machine builds "
        "another one",
        remedy="replay on the same processor type and package versions, or bring the coordinator's folder",
    )


def _replay_round(
    row: RoundRow, model: SharedModel, fleet: _Fleet, told: Callable[[str, ReplayedRound | None], None]
) -> tuple[SharedModel, ReplayedRound]:
    base, number = pack(model), row.plan.round_number
    mean = WeightedMean(base)
    differing = []
    accepted = accepted_in(row)
    for part in accepted:
        outcome = fleet.train(part.client, model, number)
        _check_examples(part, outcome, number)
        blob, update = as_sent(outcome.delta, fleet.settings.update.codec)
        if part.record is not None and blob != part.record.blob:
            differing.append(part.client)
        mean.add(update, outcome.num_examples)
        told(part.client, None)
    for client in _trained_in_vain(row, fleet.settings):
        if client in fleet.images:
            fleet.train(client, model, number)
    tensors = mean.result()
    return unpack(tensors), ReplayedRound(
        round=number,
        recorded="" if row.result is None else row.result.blob,
        replayed=digest(tensors),
        clients=tuple(part.client for part in accepted),
        differing=tuple(differing),
    )


def as_sent(update: Tensors, codec: Codec) -> tuple[str, Tensors]:
    """Return the blob of an update's bytes on the wire, and what the coordinator reads from them."""
    payload = encode_update(update, codec)
    shapes = {name: tensor.shape for name, tensor in update.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "update"
        path.write_bytes(payload)
        return hashlib.sha256(payload).hexdigest(), dict(decode_update(path, codec, shapes=shapes))


def accepted_in(row: RoundRow) -> list[Participant]:
    """Return the participants whose updates were folded, in client order."""
    return sorted((part for part in row.participants if part.state == "accepted"), key=lambda part: part.client)


def _trained_in_vain(row: RoundRow, settings: SharedSettings) -> list[str]:
    """Return the clients whose update came but was not folded, where their next update leans on what they kept."""
    if not leans_on_personal(settings):
        return []
    return sorted(
        part.client
        for part in row.participants
        if part.record is not None and part.record.state in {"late", "rejected"}
    )


def leans_on_personal(settings: SharedSettings) -> bool:
    """Tell whether an update depends on the client's personal part: without a global head, the backbone does."""
    recipe = recipe_of(settings.method)
    return recipe.keeps_phi and not recipe.shares_psi


def unheard(recording: Recording, until: int) -> list[str]:
    """Return the clients of which it is not on record whether they trained, and whose updates would tell.

    Args:
        recording: What was recorded.
        until: Rounds from this one on are not looked at.
    """
    if not leans_on_personal(recording.settings.shared()):
        return []
    rounds = (row for row in recording.rounds if row.plan.round_number < until)
    return sorted({p.client for row in rounds for p in row.participants if p.record is None or p.state == "failed"})


def _check_examples(part: Participant, outcome: RoundOutcome, number: int) -> None:
    recorded = outcome.num_examples if part.record is None else part.record.num_examples
    if outcome.num_examples != recorded:
        raise DataError(
            f"{part.client} has {outcome.num_examples} training images, in round {number} it trained on {recorded}",
            remedy="replay with the images that were there then",
        )
