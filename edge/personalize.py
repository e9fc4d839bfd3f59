"""A head of this device's own without a round: trained on the frozen backbone it has, then through the same gate."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from msgspec import structs

from edge.candidate import Candidates, open_candidates
from edge.catch_up import catch_up
from edge.device_data import DeviceData, load_device_data
from edge.devices import choose_device
from edge.journal import Journal
from edge.model_history import ModelVersion
from edge.personal import Personal
from edge.publish import publisher
from edge.versions import BUNDLE
from export.bundle import Bundle, Provenance, read_bundle
from shared.data import check_source
from shared.errors import ArtifactError, ExportError, RoundError
from shared.heads import Head
from shared.methods import method_settings
from shared.model import SharedModel
from shared.settings import SharedSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalizeSettings:
    """What the device's owner asks for.

    Attributes:
        state: The agent's folder; created when missing.
        data_spec: This device's images.
        generic: A bundle of the generic model to start from; None starts from the model that serves.
        client: The device's id; None takes the one on record, or draws one.
        epochs: Passes over the training images.
        device: "auto", "cpu" or a CUDA device: where the backbone runs.
    """

    state: Path
    data_spec: str
    generic: Path | None
    client: str | None
    epochs: int
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Personalized:
    """What came of it.

    Attributes:
        client: The device's id.
        before: What served before; the generic model on a device without a history.
        after: What serves now.
    """

    client: str
    before: ModelVersion
    after: ModelVersion


def personalize(asked: PersonalizeSettings) -> Personalized:
    """Train a head and let it serve if the gate allows it; a device without a history gets the generic model first.

    Raises:
        RoundError: No model serves and no generic one was named.
        ExportError: The bundle was refused, or is of another federation's classes than the model that serves.
        GateRefusedError: The new head is worse than what serves.
        DataError: The images do not fit.
        StoreError: The folder belongs to another client or federation.
        ArtifactError: A file cannot be written.
    """
    check_source(asked.data_spec)
    _make_folder(asked.state)
    source = read_bundle(_source(asked))
    journal = Journal(asked.state / "agent.sqlite")
    try:
        client = journal.identify(asked.client, source.provenance.federation)
        settings = settings_of(source)
        data = load_device_data(asked.data_spec, settings, client)
        head = trained_head(source, data, settings, epochs=asked.epochs, client=client, device=asked.device)
        own = replace(source, kind="personal", rule="phi", head=head, provenance=_owned(source, client))
        with open_candidates(asked.state, journal) as candidates:
            before = candidates.serving() or _serve_first(candidates, source, data, asked.data_spec)
            make = publisher(own, data, data_spec=asked.data_spec)
            after = candidates.put_forward(make, data=data, origin="personalize")
    finally:
        journal.close()
    return Personalized(client=client, before=before, after=after)


def settings_of(source: Bundle) -> SharedSettings:
    """Return what training a head needs to know, as far as a bundle says it; the rest are the common defaults.

    The method is the one whose personal head is a plain classifier on the backbone's features.
    """
    return SharedSettings(
        federation=source.provenance.federation,
        class_names=source.class_names,
        model=source.model,
        method=method_settings("fedrep", bias=True),
    )


def trained_head(
    source: Bundle, data: DeviceData, settings: SharedSettings, *, epochs: int, client: str, device: str
) -> Head:
    """Return the bundle's head after ``epochs`` passes of CE(phi h, y) over the training images; it gains a bias.

    A mask stays as it is: it acts on logits, and training is not its matter.
    """
    start = source.head
    bias = torch.zeros(len(start.weight)) if start.bias is None else start.bias
    came = catch_up(
        Personal(phi=Head(weight=start.weight, bias=bias)),
        SharedModel(backbone=source.backbone, psi=None),
        data.train,
        etf=torch.zeros_like(start.weight),  # the loss reads no frozen classifier
        settings=settings,
        epochs=epochs,
        client=client,
        device=choose_device(device),
    )
    if came.phi is None:
        raise ExportError("the method trains no personal head")
    return replace(came.phi, keep=start.keep)


def _source(asked: PersonalizeSettings) -> Path:
    serving = asked.state / BUNDLE
    if asked.generic is None and not serving.is_file():
        raise RoundError(
            f"no model serves in {asked.state} yet",
            remedy="name the generic model's bundle with --generic, or serve a federation first",
        )
    return serving if asked.generic is None else asked.generic


def _serve_first(candidates: Candidates, source: Bundle, data: DeviceData, data_spec: str) -> ModelVersion:
    make = publisher(source, data, data_spec=data_spec)
    return candidates.put_forward(make, data=data, origin="generic", why="a device without a history")


def _owned(source: Bundle, client: str) -> Provenance:
    return structs.replace(source.provenance, client=client)


def _make_folder(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ArtifactError(
            f"cannot use {state}: {cause.strerror or cause}", remedy="choose another --state"
        ) from cause
