"""What a model is worth on this device's held-out images: one pass of the backbone, every head a matrix product."""

from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from edge.device_data import DeviceData
from edge.personal import Personal
from shared.features import measured_features
from shared.heads import Head
from shared.messages import ClientFigures, Groups
from shared.metrics import accuracy, class_groups, group_accuracy
from shared.model import SharedModel
from shared.settings import SharedSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """One client's held-out images as its two models see them.

    Attributes:
        shared: (N, feature_dim), under the shared backbone.
        own: The same tensor, or under the client's own backbone where it has one.
    """

    shared: Tensor
    own: Tensor


def held_out_features(
    model: SharedModel, personal: Personal, data: DeviceData, settings: SharedSettings, device: torch.device
) -> Features:
    """Run each backbone once over a client's held-out images."""
    shared = measured_features(model.backbone, data.held_out, settings, device)
    own = shared if personal.backbone is None else measured_features(personal.backbone, data.held_out, settings, device)
    return Features(shared=shared, own=own)


def measure(
    features: Features,
    labels: Tensor,
    *,
    generic: Head | None,
    personal: Head,
    alone_logits: Tensor | None = None,
    train_counts: Tensor | None = None,
) -> ClientFigures:
    """Return the scalars a client may report.

    Args:
        features: Of the held-out images.
        labels: (N,), int64.
        generic: Head of the generic model, or None where the method has none.
        personal: Head of the personal model.
        alone_logits: (N, num_classes) of the model trained on this device alone, where asked for.
        train_counts: (num_classes,), the client's training images, to report class groups; None reports none.
    """
    if labels.numel() == 0:
        return ClientFigures(num_images=0)
    generic_logits = None if generic is None else generic.logits(features.shared)
    personal_logits = personal.logits(features.own)
    figures = ClientFigures(
        num_images=int(labels.numel()),
        generic=None if generic_logits is None else accuracy(generic_logits, labels),
        personal=accuracy(personal_logits, labels),
        alone=None if alone_logits is None else accuracy(alone_logits, labels),
    )
    if train_counts is None:
        return figures
    groups = class_groups(train_counts)
    return msgspec.structs.replace(
        figures,
        generic_groups=None if generic_logits is None else Groups(**group_accuracy(generic_logits, labels, groups)),
        personal_groups=Groups(**group_accuracy(personal_logits, labels, groups)),
    )
