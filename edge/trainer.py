"""Local training: one engine for every method; the recipe says which losses move what."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edge.backbone_training import trainable_backbone, trained_state
from edge.batches import epochs_of_batches
from edge.head_training import parameters, trainable, trained
from edge.proximal import pull_to
from shared.heads import Head
from shared.images import LabelledImages
from shared.methods import LocalHeads, Phase, recipe_of
from shared.precision import autocast
from shared.prediction import log_prior
from shared.seeds import derive_seed, seeded
from shared.settings import MethodSettings, SharedSettings
from shared.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalModel:
    """All that a client may train.

    Attributes:
        backbone: The shared backbone's parameters and buffers, float32 on the CPU.
        psi: The global head, shared after the round; None where the method has none.
        phi: The personal head; it stays on the device. None where the method has none.
        own: The client's own backbone; it stays, too. None where the method has none.
    """

    backbone: Tensors
    psi: Head | None = None
    phi: Head | None = None
    own: Tensors | None = None


def train_locally(
    model: LocalModel,
    data: LabelledImages,
    *,
    etf: Tensor,
    settings: SharedSettings,
    round_number: int,
    client: str,
    device: torch.device,
) -> LocalModel:
    """Run the recipe's phases; the same arguments on the same machine and thread count give the same bytes.

    Each phase is ``local_epochs`` epochs of one SGD over what it trains; its momentum starts anew, as in the authors'
    code. A client with one image trains with BatchNorm's running statistics, which then stay as they came: one image
    has no statistics. A client without images gets back what it gave.

    Args:
        model: What to start from; not changed.
        data: The client's training images.
        etf: S, (num_classes, feature_dim), float32.
        settings: The federation's; they name the method.
        round_number: Seeds the draws, with the client.
        client: Likewise.
        device: Where to train.

    Returns:
        On the CPU, float32.
    """
    if len(data) == 0:
        return model
    received = model
    for number, phase in enumerate(recipe_of(settings.method).phases):
        # The first phase draws under the round's own name; each further one under a name that says so.
        purpose: tuple[str | int, ...] = (round_number, client) if number == 0 else (round_number, client, number)
        model = _train_phase(
            phase, model, data, received=received, etf=etf, settings=settings, purpose=purpose, device=device
        )
    return model


def _train_phase(
    phase: Phase,
    model: LocalModel,
    data: LabelledImages,
    *,
    received: LocalModel,
    etf: Tensor,
    settings: SharedSettings,
    purpose: tuple[str | int, ...],
    device: torch.device,
) -> LocalModel:
    """Train one phase's parts and return the model with them exchanged."""
    start = model.own if phase.own_model and model.own is not None else model.backbone
    backbone = trainable_backbone(start, settings, device, batch_statistics=len(data) > 1)
    leaves: dict[str, Head] = {
        name: trainable(head, device)
        for name, head in (("psi", model.psi), ("phi", model.phi))
        if head is not None and name in phase.trains
    }
    heads = local_heads(model, data.class_counts(), etf=etf, method=settings.method, device=device, leaves=leaves)
    moved = list(backbone.parameters()) if "backbone" in phase.trains else []
    training = settings.training
    optimizer = torch.optim.SGD(
        [*moved, *(tensor for head in leaves.values() for tensor in parameters(head))],
        lr=training.learning_rate,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )
    with seeded(derive_seed(settings.seed, "layers", *purpose), device):
        strength = settings.method.proximal if phase.own_model else 0.0
        pull = pull_to(received.backbone, received.psi, backbone=backbone, head=leaves.get("phi"), strength=strength)
        for images, labels in epochs_of_batches(
            data, settings=settings, epochs=training.local_epochs, purpose=purpose, device=device
        ):
            with autocast(training, device), torch.set_grad_enabled("backbone" in phase.trains):
                features = backbone(images)  # (B, feature_dim)
            optimizer.zero_grad()
            phase.loss(features.float(), labels, heads).backward()
            if pull is not None:
                pull()
            optimizer.step()
    return _exchanged(model, phase, trained_state(backbone), {name: trained(head) for name, head in leaves.items()})


def _exchanged(model: LocalModel, phase: Phase, backbone: Tensors, heads: dict[str, Head]) -> LocalModel:
    """Return the model with what a phase trained; a backbone that only ran keeps its weights, its statistics move."""
    changed = replace(model, own=backbone) if phase.own_model else replace(model, backbone=backbone)
    return replace(changed, psi=heads.get("psi", changed.psi), phi=heads.get("phi", changed.phi))


def local_heads(
    model: LocalModel,
    class_counts: Tensor,
    *,
    etf: Tensor,
    method: MethodSettings,
    device: torch.device,
    leaves: dict[str, Head] | None = None,
) -> LocalHeads:
    """Return what losses read: the frozen classifier, the heads there are, and this client's log prior.

    Args:
        model: Its heads are read where ``leaves`` has none in their place.
        class_counts: (num_classes,), int64, the client's training images.
        etf: S, (num_classes, feature_dim).
        method: Says whether there is a prior, and its smoothing.
        device: Where the losses compute.
        leaves: Heads that train.
    """
    named = {"etf": Head(weight=etf.to(device))}
    for name, head in (("psi", model.psi), ("phi", model.phi)):
        if head is not None:
            named[name] = Head(weight=head.weight.to(device), bias=None if head.bias is None else head.bias.to(device))
    prior = log_prior(class_counts, method.prior_smoothing).to(device) if method.local_prior else None
    return LocalHeads(named=named | (leaves or {}), log_prior=prior)
