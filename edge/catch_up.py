"""Bring a personal head that belongs to an older backbone up to the final, frozen one."""

import torch
from torch.nn import functional

from edge.trainer import as_head, make_optimiser
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
    """Train phi by plain cross-entropy on the frozen backbone's features, extracted once without augmentation.

    Args:
        phi: The head as its last round left it; unchanged.
        backbone: The final backbone's tensors.
        data: The client's training images.
        settings: Optimiser, batch size and seed.
        epochs: Passes over the features; 0 returns phi as it is.
        client: Seeds the order.
        device: Where the backbone runs.

    Returns:
        The head on the final backbone, on the CPU.
    """
    if epochs == 0:
        return phi
    model = settings.model
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    load_shared_state(module, backbone)
    features = extract_features(module, data.images, model, device=device)  # (N, feature_dim)
    tensors = [phi.weight] if phi.bias is None else [phi.weight, phi.bias]
    head = [torch.nn.Parameter(tensor.detach().clone()) for tensor in tensors]
    optimiser = make_optimiser(head, settings.training)
    draws = generator(settings.seed, "catch up", client)
    for _ in range(epochs):
        for indices in torch.randperm(len(data), generator=draws).split(settings.training.batch_size):
            loss = functional.cross_entropy(functional.linear(features[indices], *head), data.labels[indices])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return as_head(head)
