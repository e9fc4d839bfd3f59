"""The generic model on the coordinator's own labelled images: one pass of the backbone, every rule a matrix product."""

from typing import Protocol

import torch
from torch import Tensor

from cloud.store.rows import Evaluation
from shared.backbones import build_backbone
from shared.data import read
from shared.features import extract_features
from shared.images import LabelledImages
from shared.methods import recipe_of
from shared.metrics import accuracy, class_groups, group_accuracy, per_class_accuracy
from shared.model import SharedModel
from shared.precision import in_bf16
from shared.prediction import generic_head
from shared.settings import SharedSettings
from shared.tensors import load_shared_state


class GenericEvaluator(Protocol):
    """What the coordinator asks after every round."""

    @property
    def images(self) -> LabelledImages | None:
        """Labelled images that no client trains on, to prove an exported model on, or None."""
        ...

    def evaluate(self, model: SharedModel) -> Evaluation | None:
        """Return what the generic model is worth, or None where that is not measured."""
        ...


class Evaluator:
    """Measures the generic model.

    Args:
        settings: The federation's.
        etf: The frozen classifier S, (num_classes, feature_dim).
        images: Labelled images that no client trains on.
        class_counts: Training images per class over all clients, (num_classes,), int64, or None where unknown.
        device: Where the backbone runs.
    """

    def __init__(
        self,
        settings: SharedSettings,
        *,
        etf: Tensor,
        images: LabelledImages,
        class_counts: Tensor | None,
        device: torch.device,
    ) -> None:
        self.images = images
        self._settings = settings
        self._etf = etf
        self._groups = None if class_counts is None else class_groups(class_counts)
        self._device = device
        model = settings.model
        # built once and loaded every round: drawing VGG-16's initial weights takes a processor 2 s
        self._module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)

    def evaluate(self, model: SharedModel) -> Evaluation | None:
        """Return accuracy overall, per group, per class, and of every generic rule beside the one in use.

        None where the method has no generic model.
        """
        rules = recipe_of(self._settings.method).generic_rules
        if not rules:
            return None
        load_shared_state(self._module, model.backbone)
        features = extract_features(
            self._module,
            self.images.images,
            self._settings.model,
            device=self._device,
            bf16=in_bf16(self._settings.training, self._device),
        )
        labels = self.images.labels
        logits = {rule: generic_head(rule, etf=self._etf, psi=model.psi).logits(features) for rule in rules}
        chosen = logits[self._settings.method.generic_rule]
        return Evaluation(
            accuracy=accuracy(chosen, labels),
            groups={} if self._groups is None else group_accuracy(chosen, labels, self._groups),
            per_class=per_class_accuracy(chosen, labels, self._settings.num_classes),
            rules={rule: accuracy(values, labels) for rule, values in logits.items()},
        )


def evaluation_images(spec: str, settings: SharedSettings) -> LabelledImages:
    """Read the coordinator's images: the test part of a data spec where there is one, else all of it.

    Raises:
        DataError: They cannot be read, or hold a class the federation does not know.
    """
    model = settings.model
    splits = read(spec, image_size=model.image_size, channels=model.channels, class_names=settings.class_names)
    return splits.evaluation
