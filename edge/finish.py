"""After the last round: bring the personal head up to the final backbone, realign it, and measure what came of it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edge.alone import train_alone
from edge.catch_up import catch_up
from edge.device_data import DeviceData
from edge.evaluate import held_out_features, measure
from edge.personal import Personal
from edge.starting import never_selected
from shared.features import measured_features
from shared.heads import Head
from shared.messages import ClientFigures
from shared.methods import recipe_of
from shared.model import SharedModel, initial_model
from shared.prediction import generic_of, personal_of
from shared.settings import SharedSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """A client's personal model and what it is worth.

    Attributes:
        head: What the personal model answers from, by the federation's rule; stays on the device.
        personal: What the client keeps, its head on the final backbone before realignment.
        figures: On the held-out images; these scalars are reported.
        head_note: How phi came to the final backbone, in words.
    """

    head: Head
    personal: Personal
    figures: ClientFigures
    head_note: str


def finish(
    model: SharedModel,
    *,
    etf: Tensor,
    personal: Personal | None,
    personal_round: int,
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
        personal: The personal part as the client's last round left it, or None when it never trained.
        personal_round: That round; 0 when there was none.
        rounds_trained: Rounds this client trained: gives the model trained alone the same number of epochs.
        final_round: The last committed round.
        data: The device's images.
        settings: The federation's.
        client: Seeds this client's draws.
        device: Where to train.
    """
    method, counts = settings.method, data.train.class_counts()
    start = never_selected(model, etf=etf, settings=settings, client=client) if personal is None else personal
    final = catch_up(
        start,
        model,
        data.train,
        etf=etf,
        settings=settings,
        epochs=method.catch_up_epochs,
        client=client,
        device=device,
    )
    head = personal_of(method, etf=etf, psi=model.psi, phi=final.phi, class_counts=counts)
    figures = measure(
        held_out_features(model, final, data, settings, device),
        data.held_out.labels,
        generic=generic_of(method, etf=etf, psi=model.psi),
        personal=head,
        alone_logits=_alone_logits(rounds_trained, data, settings, client, device) if settings.report.alone else None,
        train_counts=counts if settings.report.report_groups else None,
    )
    note = _note(settings, personal is None, personal_round, final_round)
    return Finished(head=head, personal=final, figures=figures, head_note=note)


def _alone_logits(
    rounds_trained: int, data: DeviceData, settings: SharedSettings, client: str, device: torch.device
) -> Tensor:
    """Return held-out logits of a model trained on this device alone, as long as the client trained in rounds."""
    epochs = max(1, rounds_trained) * settings.training.local_epochs
    start = initial_model(settings).backbone
    backbone, head = train_alone(start, data.train, settings=settings, epochs=epochs, client=client, device=device)
    return head.logits(measured_features(backbone, data.held_out, settings, device))


def _note(settings: SharedSettings, untrained: bool, personal_round: int, final_round: int) -> str:
    recipe, epochs = recipe_of(settings.method), settings.method.catch_up_epochs
    if not recipe.keeps_phi:
        return "no personal head: the method has none"
    adapted = ""
    if epochs and recipe.head_loss is not None:
        adapted = f", then {epochs} epoch{'s' if epochs > 1 else ''} on the final backbone"
    if untrained:
        anew = recipe.phi_adds_up or not recipe.shares_psi
        return f"never selected: started {'anew' if anew else 'from the global head'}" + adapted
    if personal_round < final_round:
        return f"last trained in round {personal_round} of {final_round}" + adapted
    return f"trained in the last round, {final_round}" + adapted
