"""The baseline a federation must beat: a model trained on this device alone, with the same images and epochs."""

import torch
from torch import nn
from torch.nn import functional

from edge.batches import batches
from edge.trainer import as_head, make_optimiser, precision, seeded
from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.settings import SharedSettings
from shared.tensors import Tensors, load_shared_state, shared_state


def train_alone(
    start: Tensors, data: LabelledImages, *, settings: SharedSettings, epochs: int, client: str, device: torch.device
) -> tuple[Tensors, Head]:
    """Train backbone and linear head together by plain cross-entropy.

    Args:
        start: The federation's initial backbone; unchanged.
        data: The client's training images.
        settings: The same optimiser, batches and augmentation as in the federation.
        epochs: As many as the client trained in its rounds.
        client: Seeds the draws.
        device: Where to train.

    Returns:
        The backbone's tensors and the head, on the CPU.
    """
    model = settings.model
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    load_shared_state(module, start)
    module.to(device).to(memory_format=torch.channels_last).train()
    head = [
        nn.Parameter(torch.zeros(settings.num_classes, module.feature_dim, device=device)),
        nn.Parameter(torch.zeros(settings.num_classes, device=device)),
    ]
    optimiser = make_optimiser([*module.parameters(), *head], settings.training)
    with seeded(settings, "alone", client):
        for images, labels in batches(data, settings=settings, epochs=epochs, purpose=("alone", client), device=device):
            with precision(settings.training, device):
                features = module(images)
            loss = functional.cross_entropy(functional.linear(features.float(), *head), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return shared_state(module), as_head(head)
