"""After the last round: bring the personal head up to the final backbone, realign it, and measure what came of it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edge.alone import train_alone
from edge.catch_up import catch_up
from edge.device_data import DeviceData
from edge.evaluate import features_of, measure
from shared.heads import Head
from shared.messages import ClientFigures
from shared.model import SharedModel, initial_model
from shared.prediction import generic_head, personal_head
from shared.settings import SharedSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """A client's personal model and what it is worth.

    Attributes:
        head: What the personal model answers from, by the federation's rule; stays on the device.
        phi: The personal head on the final backbone, before realignment.
        figures: On the held-out images; these scalars are reported.
        head_note: How phi came to the final backbone, in words.
    """

    head: Head
    phi: Head
    figures: ClientFigures
    head_note: str


def finish(
    model: SharedModel,
    *,
    etf: Tensor,
    phi: Head | None,
    phi_round: int,
    rounds_trained: int,
    final_round: int,
    data: DeviceData,
    settings: SharedSettings,
    client: str,
    device: torch.device,
) -> Finished:
    """Make one client's personal model from the final shared model.

    Args:
        model: The final shared model.
        etf: The frozen classifier S.
        phi: The personal head as its last round left it, or None when the client never trained.
        phi_round: That round; 0 when there was none.
        rounds_trained: Rounds this client trained: gives the model trained alone the same number of epochs.
        final_round: The last committed round.
        data: The device's images.
        settings: The federation's.
        client: Seeds this client's draws.
        device: Where to train.
    """
    method, counts = settings.method, data.train.class_counts()
    head_now = phi if phi is not None else model.psi
    head_now = catch_up(
        head_now,
        model.backbone,
        data.train,
        settings=settings,
        epochs=method.catch_up_epochs,
        client=client,
        device=device,
    )
    personal = personal_head(
        method.personal_rule,
        method.mask,
        etf=etf,
        psi=model.psi,
        phi=head_now,
        class_counts=counts,
        smoothing=method.prior_smoothing,
    )
    figures = measure(
        features_of(model.backbone, data.held_out, settings.model, device),
        data.held_out.labels,
        generic=generic_head(method.generic_rule, etf=etf, psi=model.psi),
        personal=personal,
        alone_logits=_alone_logits(rounds_trained, data, settings, client, device) if settings.report.alone else None,
        train_counts=counts if settings.report.report_groups else None,
    )
    note = _note(phi is None, phi_round, final_round, method.catch_up_epochs)
    return Finished(head=personal, phi=head_now, figures=figures, head_note=note)


def _alone_logits(
    rounds_trained: int, data: DeviceData, settings: SharedSettings, client: str, device: torch.device
) -> Tensor:
    """Return held-out logits of a model trained on this device alone, as long as the client trained in rounds."""
    epochs = max(1, rounds_trained) * settings.training.local_epochs
    start = initial_model(settings).backbone
    backbone, head = train_alone(start, data.train, settings=settings, epochs=epochs, client=client, device=device)
    return head.logits(features_of(backbone, data.held_out, settings.model, device))


def _note(never_selected: bool, phi_round: int, final_round: int, epochs: int) -> str:
    adapted = f", then {epochs} epoch{'s' if epochs > 1 else ''} on the final backbone" if epochs else ""
    if never_selected:
        return "never selected: started from the global head" + adapted
    if phi_round < final_round:
        return f"last trained in round {phi_round} of {final_round}" + adapted
    return f"trained in the last round, {final_round}" + adapted
