"""A personal head brought up to a backbone that moved on without it."""

import torch
from torch.nn import functional

from edge.batches import split_batches
from edge.head_training import parameters, trainable, trained
from shared.backbones import build_backbone
from shared.features import extract_features
from shared.heads import Head
from shared.images import LabelledImages
from shared.seeds import generator
from shared.settings import SharedSettings
from shared.tensors import Tensors, load_shared_state


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
    model, training = settings.model, settings.training
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    load_shared_state(module, backbone)
    features = extract_features(module, data.images, model, device=device)  # (N, feature_dim)
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
