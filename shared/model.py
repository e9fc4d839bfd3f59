"""The shared model of a round: backbone and global head psi, packed under one set of names."""

from dataclasses import dataclass

import torch

from shared.backbones import build_backbone
from shared.errors import TransferError
from shared.heads import Head
from shared.methods import recipe_of
from shared.seeds import derive_seed
from shared.settings import SharedSettings
from shared.tensors import Tensors, shared_state, with_prefix, without_prefix

BACKBONE = "backbone."
PSI_WEIGHT = "psi.weight"
PSI_BIAS = "psi.bias"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedModel:
    """What all clients train together.

    Attributes:
        backbone: The backbone's parameters and buffers, float32 on the CPU.
        psi: The global head, or None where the method shares a backbone only.
    """

    backbone: Tensors
    psi: Head | None


def pack(model: SharedModel) -> Tensors:
    """Return the model as one set of named tensors."""
    tensors = with_prefix(BACKBONE, model.backbone)
    if model.psi is not None:
        tensors[PSI_WEIGHT] = model.psi.weight
        if model.psi.bias is not None:
            tensors[PSI_BIAS] = model.psi.bias
    return tensors


def unpack(tensors: Tensors) -> SharedModel:
    """Take a packed model apart.

    Raises:
        TransferError: The tensors are no packed model.
    """
    backbone = without_prefix(BACKBONE, tensors)
    heads = {name for name in tensors if not name.startswith(BACKBONE)}
    if not backbone or heads not in ({PSI_WEIGHT, PSI_BIAS}, {PSI_WEIGHT}, set()):
        raise TransferError(f"not a shared model: {len(backbone)} backbone tensors and {sorted(heads)}")
    psi = Head(weight=tensors[PSI_WEIGHT], bias=tensors.get(PSI_BIAS)) if heads else None
    return SharedModel(backbone=backbone, psi=psi)


def zero_head(num_classes: int, feature_dim: int, *, bias: bool) -> Head:
    """Return a head of zeros: every class equally likely, and no norm for a class that was never trained.

    Deviation: the authors draw heads at random, which leaves absent classes with the norm of the draw (0.58).
    """
    return Head(weight=torch.zeros(num_classes, feature_dim), bias=torch.zeros(num_classes) if bias else None)


def initial_model(settings: SharedSettings) -> SharedModel:
    """Return the model before round 1: a seeded backbone and, where the method has it, a global head of zeros.

    Raises:
        SettingsError: The backbone's name is unknown.
    """
    module = build_backbone(
        settings.model.backbone,
        image_size=settings.model.image_size,
        channels=settings.model.channels,
        seed=derive_seed(settings.seed, "backbone"),
    )
    psi = None
    if recipe_of(settings.method).shares_psi:
        psi = zero_head(settings.num_classes, module.feature_dim, bias=settings.method.bias)
    return SharedModel(backbone=shared_state(module), psi=psi)
