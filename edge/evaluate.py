"""What a model is worth on this device's held-out images: one pass of the backbone, every head a matrix product."""

import torch
from torch import Tensor

from shared.backbones import build_backbone
from shared.features import extract_features
from shared.heads import Head
from shared.images import LabelledImages
from shared.messages import ClientFigures, Groups
from shared.metrics import accuracy, class_groups, group_accuracy
from shared.settings import ModelSettings
from shared.tensors import Tensors, load_shared_state


def features_of(backbone: Tensors, images: LabelledImages, model: ModelSettings, device: torch.device) -> Tensor:
    """Return pooled features (N, feature_dim), float32 on the CPU, of images under a backbone's tensors."""
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    load_shared_state(module, backbone)
    return extract_features(module, images.images, model, device=device)


def measure(
    features: Tensor,
    labels: Tensor,
    *,
    generic: Head,
    personal: Head,
    alone_logits: Tensor | None = None,
    train_counts: Tensor | None = None,
) -> ClientFigures:
    """Return the scalars a client may report.

    Args:
        features: (N, feature_dim), of the held-out images.
        labels: (N,), int64.
        generic: Head of the generic model.
        personal: Head of the personal model.
        alone_logits: (N, num_classes) of the model trained on this device alone, where asked for.
        train_counts: (num_classes,), the client's training images, to report class groups; None reports none.
    """
    if labels.numel() == 0:
        return ClientFigures(num_images=0)
    generic_logits, personal_logits = generic.logits(features), personal.logits(features)
    figures = ClientFigures(
        num_images=int(labels.numel()),
        generic=accuracy(generic_logits, labels),
        personal=accuracy(personal_logits, labels),
        alone=None if alone_logits is None else accuracy(alone_logits, labels),
    )
    if train_counts is None:
        return figures
    groups = class_groups(train_counts)
    return ClientFigures(
        num_images=figures.num_images,
        generic=figures.generic,
        personal=figures.personal,
        alone=figures.alone,
        generic_groups=Groups(**group_accuracy(generic_logits, labels, groups)),
        personal_groups=Groups(**group_accuracy(personal_logits, labels, groups)),
    )
