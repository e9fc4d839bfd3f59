"""A personal head brought up to a backbone that moved on without it."""

import torch
from torch.nn import functional

from edge.batches import split_batches
from edge.evaluate import features_of
from edge.head_training import parameters, trainable, trained
from shared.heads import Head
from shared.images import LabelledImages
from shared.seeds import generator
from shared.settings import SharedSettings
from shared.tensors import Tensors


def catch_up(
    phi: Head,
    backbone: Tensors,
    data: LabelledImages,
    *,
    settings: SharedSettings,
    epochs: int,
    client: str,
    device: torch.device,
) -> Head:
    """Train phi on the frozen backbone with CE(phi h, y), by the federation's SGD.

    The backbone runs once, in evaluation mode and without augmentation: these are the features phi will answer from,
    and an epoch over them costs a matrix product.

    Args:
        phi: Where the head starts; not changed.
        backbone: The final one; not changed.
        data: The client's training images; without any, phi comes back as it is.
        settings: The federation's.
        epochs: Passes over the images; 0 leaves phi as it is.
        client: Seeds the order.
        device: Where the backbone runs; the head trains on the CPU.
    """
    if epochs == 0 or len(data) == 0:
        return phi
    training = settings.training
    features = features_of(backbone, data, settings.model, device)  # (N, feature_dim)
    head = trainable(phi, torch.device("cpu"))
    optimizer = torch.optim.SGD(
        parameters(head), lr=training.learning_rate, momentum=training.momentum, weight_decay=training.weight_decay
    )
    draws = generator(settings.seed, "catch-up", client)
    for _ in range(epochs):
        for batch in split_batches(torch.randperm(len(data), generator=draws), training.batch_size):
            optimizer.zero_grad()
            functional.cross_entropy(head.logits(features[batch]), data.labels[batch]).backward()
            optimizer.step()
    return trained(head)
