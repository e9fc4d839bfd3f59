"""A personal head brought up to a backbone that moved on without it."""

from dataclasses import replace

import torch
from torch import Tensor

from edge.batches import split_batches
from edge.head_training import parameters, trainable, trained
from edge.personal import Personal
from edge.trainer import LocalModel, local_heads
from shared.errors import SettingsError
from shared.features import features_of
from shared.heads import Head
from shared.images import LabelledImages
from shared.methods import recipe_of
from shared.model import SharedModel
from shared.seeds import generator
from shared.settings import SharedSettings


def catch_up(
    personal: Personal,
    model: SharedModel,
    data: LabelledImages,
    *,
    etf: Tensor,
    settings: SharedSettings,
    epochs: int,
    client: str,
    device: torch.device,
) -> Personal:
    """Train phi on the frozen backbone with the recipe's loss for it, CE(phi h, y) of FedLoGe, by the federation's SGD.

    The backbone runs once, in evaluation mode and without augmentation: these are the features phi will answer from,
    and an epoch over them costs a matrix product.

    Args:
        personal: Where the head starts; not changed.
        model: The final shared model; not changed.
        data: The client's training images; without any, the personal part comes back as it is.
        etf: The frozen classifier S, (num_classes, feature_dim).
        settings: The federation's; a method without a loss for phi alone gets its personal part back.
        epochs: Passes over the images; 0 leaves phi as it is.
        client: Seeds the order.
        device: Where the backbone runs; the head trains on the CPU.
    """
    phi = personal.phi
    if epochs == 0 or len(data) == 0 or phi is None or recipe_of(settings.method).head_loss is None:
        return personal
    features = features_of(model.backbone, data, settings.model, device)  # (N, feature_dim)
    adapted = adapt_head(
        phi, features, data.labels, psi=model.psi, etf=etf, settings=settings, epochs=epochs, client=client
    )
    return replace(personal, phi=adapted)


def adapt_head(
    phi: Head,
    features: Tensor,
    labels: Tensor,
    *,
    psi: Head | None,
    etf: Tensor,
    settings: SharedSettings,
    epochs: int,
    client: str,
) -> Head:
    """Train a personal head on features that do not move: at the end of a federation, on a device, in the lab.

    Fewer epochs are the beginning of more: the order of the images is drawn epoch after epoch from one generator.

    Args:
        phi: Where the head starts; not changed.
        features: (N, feature_dim), float32 on the CPU, of the client's training images.
        labels: (N,), int64.
        psi: The global head, or None where the method has none; read only.
        etf: The frozen classifier S, (num_classes, feature_dim).
        settings: The federation's.
        epochs: Passes over the images.
        client: Seeds the order.

    Returns:
        The head, on the CPU.

    Raises:
        SettingsError: The method has no loss for a head alone.
    """
    recipe, training, cpu = recipe_of(settings.method), settings.training, torch.device("cpu")
    if recipe.head_loss is None:
        raise SettingsError(
            f"method {recipe.name} has no loss for a head alone", remedy="adapt a head of a method that keeps one"
        )
    head = trainable(phi, cpu)
    heads = local_heads(
        LocalModel(backbone={}, psi=psi),
        torch.bincount(labels, minlength=len(etf)),
        etf=etf,
        method=settings.method,
        device=cpu,
        leaves={"phi": head},
    )
    optimizer = torch.optim.SGD(
        parameters(head), lr=training.learning_rate, momentum=training.momentum, weight_decay=training.weight_decay
    )
    draws = generator(settings.seed, "catch-up", client)
    for _ in range(epochs):
        for batch in split_batches(torch.randperm(len(labels), generator=draws), training.batch_size):
            optimizer.zero_grad()
            recipe.head_loss(features[batch], labels[batch], heads).backward()
            optimizer.step()
    return trained(head)
