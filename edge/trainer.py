"""FedLoGe's local training: the backbone against the frozen classifier, both heads on features it does not feel."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edge.backbone_training import trainable_backbone, trained_state
from edge.batches import epochs_of_batches
from edge.head_training import parameters, trainable, trained
from edge.precision import autocast
from shared.heads import Head
from shared.images import LabelledImages
from shared.prediction import log_prior
from shared.seeds import derive_seed, seeded
from shared.settings import MethodSettings, SharedSettings
from shared.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalModel:
    """All that a client trains.

    Attributes:
        backbone: The backbone's parameters and buffers, float32 on the CPU.
        psi: The auxiliary global head, shared after the round.
        phi: The personal head; it stays on the device.
    """

    backbone: Tensors
    psi: Head
    phi: Head


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
    """Train ``local_epochs`` epochs; the same arguments on the same machine and thread count give the same bytes.

    Per batch, with h = f(x) from before the step (paper, section 3; method's stage 1):

    - CE(S h + log pi_k, y) moves the backbone only; S is frozen, pi_k are this client's own class frequencies, and
      ``local_prior = false`` leaves them out.
    - CE(psi stopgrad(h), y) moves psi only, CE(phi stopgrad(h), y) moves phi only.

    No tensor is in two of the losses, so one backward pass of their sum and one SGD do what the authors' three do; its
    momentum starts anew each call. A client with one image trains with BatchNorm's running statistics, which then stay
    as they came: one image has no statistics. A client without images gets back what it gave.

    Args:
        model: What to start from; not changed.
        data: The client's training images.
        etf: S, (num_classes, feature_dim), float32.
        settings: The federation's.
        round_number: Seeds the draws, with the client.
        client: Likewise.
        device: Where to train.

    Returns:
        On the CPU, float32.
    """
    if len(data) == 0:
        return model
    purpose = (round_number, client)
    backbone = trainable_backbone(model.backbone, settings, device, batch_statistics=len(data) > 1)
    psi, phi = trainable(model.psi, device), trainable(model.phi, device)
    frozen = frozen_head(etf, data.class_counts(), settings.method, device)
    optimizer = torch.optim.SGD(
        [*backbone.parameters(), *parameters(psi), *parameters(phi)],
        lr=settings.training.learning_rate,
        momentum=settings.training.momentum,
        weight_decay=settings.training.weight_decay,
    )
    with seeded(derive_seed(settings.seed, "layers", *purpose), device):
        for images, labels in epochs_of_batches(
            data, settings=settings, epochs=settings.training.local_epochs, purpose=purpose, device=device
        ):
            with autocast(settings.training, device):
                features = backbone(images)  # (B, feature_dim)
            optimizer.zero_grad()
            local_loss(features.float(), labels, frozen=frozen, psi=psi, phi=phi).backward()
            optimizer.step()
    return LocalModel(backbone=trained_state(backbone), psi=trained(psi), phi=trained(phi))


def frozen_head(etf: Tensor, class_counts: Tensor, method: MethodSettings, device: torch.device) -> Head:
    """Return S with log pi_k for a bias, or without one where the method has no local prior."""
    prior = log_prior(class_counts, method.prior_smoothing).to(device) if method.local_prior else None
    return Head(weight=etf.to(device), bias=prior)


def local_loss(features: Tensor, labels: Tensor, *, frozen: Head, psi: Head, phi: Head) -> Tensor:
    """Return the sum of the three losses.

    Args:
        features: h, (B, feature_dim), float32.
        labels: y, (B,), int64.
        frozen: S with log pi_k as its bias, which needs no gradient.
        psi: The auxiliary global head.
        phi: The personal head.
    """
    detached = features.detach()
    return (
        functional.cross_entropy(frozen.logits(features), labels)
        + functional.cross_entropy(psi.logits(detached), labels)
        + functional.cross_entropy(phi.logits(detached), labels)
    )
