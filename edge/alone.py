"""The baseline every client is compared with: a model trained on this device alone."""

import torch
from torch import nn
from torch.nn import functional

from edge.backbone_training import trainable_backbone, trained_state
from edge.batches import epochs_of_batches
from edge.head_training import parameters, trainable, trained
from shared.heads import Head
from shared.images import LabelledImages
from shared.precision import autocast
from shared.seeds import derive_seed, seeded
from shared.settings import SharedSettings
from shared.tensors import Tensors


def train_alone(
    initial: Tensors,
    data: LabelledImages,
    *,
    settings: SharedSettings,
    epochs: int,
    client: str,
    device: torch.device,
) -> tuple[Tensors, Head]:
    """Train backbone and a linear head by plain cross-entropy, with the federation's SGD, batches and augmentation.

    The head is a linear layer as anyone would write it, with a bias and torch's own initial weights: the baseline gets
    no handicap from FedLoGe's choices.

    Args:
        initial: The backbone every client started from; not changed.
        data: The client's training images; without any, the untrained model comes back.
        settings: The federation's.
        epochs: As many as the client trained in rounds.
        client: Seeds the draws.
        device: Where to train.

    Returns:
        The backbone's tensors and the head, on the CPU, float32.
    """
    backbone = trainable_backbone(initial, settings, device, batch_statistics=len(data) > 1)
    with seeded(derive_seed(settings.seed, "alone", client), device):
        layer = nn.Linear(backbone.feature_dim, settings.num_classes)
        head = trainable(Head(weight=layer.weight, bias=layer.bias), device)
        optimizer = torch.optim.SGD(
            [*backbone.parameters(), *parameters(head)],
            lr=settings.training.learning_rate,
            momentum=settings.training.momentum,
            weight_decay=settings.training.weight_decay,
        )
        for images, labels in epochs_of_batches(
            data, settings=settings, epochs=epochs if len(data) else 0, purpose=("alone", client), device=device
        ):
            with autocast(settings.training, device):
                features = backbone(images)  # (B, feature_dim)
            optimizer.zero_grad()
            functional.cross_entropy(head.logits(features.float()), labels).backward()
            optimizer.step()
    return trained_state(backbone), trained(head)
