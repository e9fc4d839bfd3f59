"""One round on the device: measure the model that came, train it and the personal head, and take the difference."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edge.device_data import DeviceData
from edge.evaluate import held_out_features, measure
from edge.personal import Personal
from edge.starting import starting_point
from edge.trainer import LocalModel, train_locally
from shared.messages import ClientFigures
from shared.model import SharedModel, pack
from shared.prediction import generic_of, personal_of
from shared.settings import SharedSettings
from shared.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoundOutcome:
    """What a round made; only ``delta``, ``num_examples`` and ``figures`` may leave the device.

    Attributes:
        delta: Change of every shared tensor, float32.
        num_examples: Images trained on.
        figures: The received model on the held-out images, before training.
        personal: What the client keeps.
    """

    delta: Tensors
    num_examples: int
    figures: ClientFigures
    personal: Personal


def run_round(
    model: SharedModel,
    *,
    etf: Tensor,
    personal: Personal | None,
    data: DeviceData,
    settings: SharedSettings,
    round_number: int,
    client: str,
    device: torch.device,
) -> RoundOutcome:
    """Run one round; the same arguments on the same machine give the same bytes.

    Args:
        model: The round's shared model.
        etf: The frozen sparse ETF classifier S, (num_classes, feature_dim).
        personal: What the client kept of its last round, or None before its first.
        data: The device's images.
        settings: The federation's.
        round_number: Counted from 1.
        client: Seeds this client's draws.
        device: Where to train.
    """
    own = starting_point(model, etf=etf, settings=settings, client=client) if personal is None else personal
    figures = ClientFigures(num_images=0)
    if settings.report.received:
        figures = measure_received(model, etf=etf, personal=own, data=data, settings=settings, device=device)
    trained = train_locally(
        LocalModel(backbone=model.backbone, psi=model.psi, phi=own.phi, own=own.backbone),
        data.train,
        etf=etf,
        settings=settings,
        round_number=round_number,
        client=client,
        device=device,
    )
    before = pack(model)
    after = pack(SharedModel(backbone=trained.backbone, psi=trained.psi))
    return RoundOutcome(
        delta={name: after[name] - tensor for name, tensor in before.items()},
        num_examples=len(data.train),
        figures=figures,
        personal=Personal(phi=trained.phi, backbone=trained.own),
    )


def measure_received(
    model: SharedModel,
    *,
    etf: Tensor,
    personal: Personal,
    data: DeviceData,
    settings: SharedSettings,
    device: torch.device,
) -> ClientFigures:
    """Return the received model's accuracy, generic and personal, on the held-out images."""
    method, counts = settings.method, data.train.class_counts()
    return measure(
        held_out_features(model, personal, data, settings, device),
        data.held_out.labels,
        generic=generic_of(method, etf=etf, psi=model.psi),
        personal=personal_of(method, etf=etf, psi=model.psi, phi=personal.phi, class_counts=counts),
    )
