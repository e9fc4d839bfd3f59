"""``result.json``: everything a finished run has to say, frozen; the report and the closing table read only this.

Accuracies are fractions in 0..1, sizes are bytes, times are seconds. None means "not measured", never zero.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from cloud.lab.figures import LabFigures
from shared.errors import ArtifactError, FedlogeError
from shared.metrics import spread_over_clients

SCHEMA_VERSION: Final = 1
"""Raised by every change that an older reader would misread."""

ClassGroup: TypeAlias = Literal["head", "medium", "tail"]


class RoundFigures(Struct, frozen=True, kw_only=True):
    """One round, or, as round 0, the initial model.

    Attributes:
        round: 0 is the initial model.
        gm: Accuracy of the generic model after this round on the coordinator's images.
        pm_mean: Mean over clients of the personal model's accuracy on their own held-out images.
        generic_mean: Mean over clients of the generic model's accuracy on the same images.
        accepted: Updates folded into the mean.
        selected: Clients asked.
        missing: Clients asked whose update was not folded in.
        bytes_up: Payload bytes from the clients to the coordinator.
        bytes_down: Payload bytes from the coordinator to the clients.
        seconds: Wall-clock duration.
    """

    round: int
    gm: float | None = None
    pm_mean: float | None = None
    generic_mean: float | None = None
    accepted: int = 0
    selected: int = 0
    missing: tuple[str, ...] = ()
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0


class ClassAccuracy(Struct, frozen=True, kw_only=True):
    """The generic model on one class; ``train_images`` counts the images of all clients together."""

    name: str
    group: ClassGroup | None = None
    train_images: int | None = None
    accuracy: float | None = None


class GenericResult(Struct, frozen=True, kw_only=True):
    """The generic model (GM) on the coordinator's balanced images.

    Attributes:
        accuracy: Over all images.
        head: Mean accuracy over the classes with most training images.
        medium: Over the ones between.
        tail: Over the ones with fewest.
        per_class: In label order.
        rules: Accuracy of every generic prediction rule, for the record; nothing is chosen by it.
    """

    accuracy: float
    head: float | None = None
    medium: float | None = None
    tail: float | None = None
    per_class: tuple[ClassAccuracy, ...] = ()
    rules: dict[str, float] = {}


class ClientResult(Struct, frozen=True, kw_only=True):
    """One client: three models on its own held-out images.

    Attributes:
        client: Its id.
        num_images: Held-out images.
        num_train_images: Training images.
        alone: Accuracy of the model trained on this device alone, with as many local epochs.
        generic: Accuracy of the generic model.
        personal: Accuracy of the personal model.
        head_note: How the personal head came to the final backbone.
        class_counts: Training images per class in label order; only where one machine deals all the data itself.
    """

    client: str
    num_images: int
    num_train_images: int | None = None
    alone: float | None = None
    generic: float | None = None
    personal: float | None = None
    head_note: str = ""
    class_counts: tuple[int, ...] | None = None


class Means(Struct, frozen=True, kw_only=True):
    """Unweighted means over the clients that measured the figure."""

    alone: float | None = None
    generic: float | None = None
    personal: float | None = None


class PersonalResult(Struct, frozen=True, kw_only=True):
    """The personal models (PM), each on its own client's held-out images.

    Attributes:
        mean: Unweighted mean over clients, as in the paper.
        std: Population standard deviation over clients.
        worst_decile: Mean of the worst tenth of the clients, at least one.
        per_client: Sorted by client id.
        means: Of the three models that are compared.
    """

    mean: float | None = None
    std: float | None = None
    worst_decile: float | None = None
    per_client: tuple[ClientResult, ...] = ()
    means: Means = Means()


class Parity(Struct, frozen=True, kw_only=True):
    """ONNX Runtime against PyTorch on the same images.

    Attributes:
        max_abs_error: Largest difference of two logits.
        bound: What it may be.
        label_agreement: Share of images with the same label, among those whose top-two margin exceeds the bound.
        num_images: How many images were compared.
        images: Which, such as "held-out" or "seeded random".
    """

    max_abs_error: float
    bound: float
    label_agreement: float
    num_images: int
    images: str = ""

    @property
    def holds(self) -> bool:
        """Whether the exported file computes what PyTorch computes."""
        return self.max_abs_error <= self.bound and self.label_agreement >= 1.0


class ModelRecord(Struct, frozen=True, kw_only=True):
    """One exported ONNX file; ``client`` is None for the generic model."""

    path: str
    digest: str
    kind: Literal["generic", "personal"]
    client: str | None = None
    parity: Parity | None = None


class Result(Struct, frozen=True, kw_only=True):
    """A finished run.

    Attributes:
        config: What was run: data, agents, rounds, backbone, seed, versions and the like; any JSON values.
        rounds: In order, round 0 first.
        gm: None where the coordinator had no labelled images.
        pm: The personal models.
        bytes_up: Payload bytes from the clients to the coordinator, joining and finishing included.
        bytes_down: Likewise to the clients.
        global_digest: SHA-256 of the final shared tensors.
        models: Every exported file.
        seconds: Wall-clock duration of the whole run.
        lab: What only the lab knows; None of a demo.
    """

    schema_version: int = SCHEMA_VERSION
    config: dict[str, Any] = {}
    rounds: tuple[RoundFigures, ...] = ()
    gm: GenericResult | None = None
    pm: PersonalResult = PersonalResult()
    bytes_up: int = 0
    bytes_down: int = 0
    global_digest: str = ""
    models: tuple[ModelRecord, ...] = ()
    seconds: float = 0.0
    lab: LabFigures | None = None


def mean(values: Sequence[float | None]) -> float | None:
    """Return the unweighted mean of what was measured, or None where nothing was."""
    measured = [value for value in values if value is not None]
    return statistics.fmean(measured) if measured else None


def summarise_clients(clients: Sequence[ClientResult]) -> PersonalResult:
    """Sort the clients by id and compute mean, spread and the worst tenth of their figures."""
    ordered = sorted(clients, key=lambda client: client.client)
    personal = [client.personal for client in ordered if client.personal is not None]
    spread = spread_over_clients(personal) if personal else None
    return PersonalResult(
        mean=None if spread is None else spread.mean,
        std=None if spread is None else spread.std,
        worst_decile=None if spread is None else spread.worst_decile,
        per_client=tuple(ordered),
        means=Means(
            alone=mean([client.alone for client in ordered]),
            generic=mean([client.generic for client in ordered]),
            personal=mean(personal),
        ),
    )


def to_json(result: Result) -> bytes:
    """Encode as indented JSON with keys in declaration order: equal results give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def from_json(payload: bytes) -> Result:
    """Decode what ``to_json`` wrote.

    Raises:
        FedlogeError: The bytes are no result, or one of another schema.
    """
    try:
        result = msgspec.json.decode(payload, type=Result)
    except msgspec.DecodeError as cause:
        raise FedlogeError(f"result of {len(payload)} bytes does not parse: {cause}") from cause
    if result.schema_version != SCHEMA_VERSION:
        raise FedlogeError(
            f"result has schema {result.schema_version}, this program reads {SCHEMA_VERSION}",
            remedy="use the version of fedloge that wrote it",
        )
    return result


def write_result(result: Result, path: Path) -> None:
    """Write ``result.json``.

    Raises:
        ArtifactError: The file cannot be written.
    """
    try:
        path.write_bytes(to_json(result))
    except OSError as cause:
        raise ArtifactError(f"{path} cannot be written: {cause}", remedy="free disk space or choose --out") from cause
