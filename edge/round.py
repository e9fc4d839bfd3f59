"""One round on the device: measure the model that came, train it and the personal head, and take the difference."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edge.device_data import DeviceData
from edge.evaluate import features_of, measure
from edge.first_head import first_head
from edge.trainer import LocalModel, train_locally
from shared.heads import Head
from shared.messages import ClientFigures
from shared.model import SharedModel, pack
from shared.prediction import generic_head, personal_head
from shared.settings import SharedSettings
from shared.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoundOutcome:
    """What a round made; only ``delta``, ``num_examples`` and ``figures`` may leave the device.

    Attributes:
        delta: Change of every shared tensor, float32.
        num_examples: Images trained on.
        figures: The received model on the held-out images, before training.
        phi: The personal head after the round.
    """

    delta: Tensors
    num_examples: int
    figures: ClientFigures
    phi: Head


def run_round(
    model: SharedModel,
    *,
    etf: Tensor,
    phi: Head | None,
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
        phi: The personal head after the client's last round, or None before its first.
        data: The device's images.
        settings: The federation's.
        round_number: Counted from 1.
        client: Seeds this client's draws.
        device: Where to train.
    """
    own = phi
    if own is None:
        own = first_head(etf, bias=settings.method.bias, seed=settings.seed, client=client)
    figures = measure_received(model, etf=etf, phi=own, data=data, settings=settings, device=device)
    trained = train_locally(
        LocalModel(backbone=model.backbone, psi=model.psi, phi=own),
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
        phi=trained.phi,
    )


def measure_received(
    model: SharedModel,
    *,
    etf: Tensor,
    phi: Head,
    data: DeviceData,
    settings: SharedSettings,
    device: torch.device,
) -> ClientFigures:
    """Return the received model's accuracy, generic and personal, on the held-out images."""
    method = settings.method
    personal = personal_head(
        method.personal_rule,
        method.mask,
        etf=etf,
        psi=model.psi,
        phi=phi,
        class_counts=data.train.class_counts(),
        smoothing=method.prior_smoothing,
    )
    return measure(
        features_of(model.backbone, data.held_out, settings.model, device),
        data.held_out.labels,
        generic=generic_head(method.generic_rule, etf=etf, psi=model.psi),
        personal=personal,
    )
