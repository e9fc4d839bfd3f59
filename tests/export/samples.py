"""Bundles and images for the tests of export: small, seeded, with non-trivial normalisation statistics."""

import torch

from export.bundle import Bundle, Kind, Provenance, Rule
from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.settings import ModelSettings
from shared.tensors import Tensors, shared_state

CLASS_NAMES = tuple(f"class {letter}" for letter in "abcdefg")
NUM_CLASSES = len(CLASS_NAMES)
SHARED_DIGEST, ETF_DIGEST = "a1" * 32, "b2" * 32
MASK = torch.tensor([True, False, True, True, False, True, True])


def model_settings(backbone: str = "resnet8", *, image_size: int = 8, channels: int = 1) -> ModelSettings:
    mean, std = ((0.48,), (0.21,)) if channels == 1 else ((0.49, 0.48, 0.45), (0.25, 0.24, 0.26))
    return ModelSettings(backbone=backbone, image_size=image_size, channels=channels, mean=mean, std=std)


def trained_looking(model: ModelSettings, *, seed: int = 1) -> Tensors:
    """Return a backbone's tensors whose BatchNorm statistics are those of real activations, not zero and one."""
    backbone = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=seed)
    random = torch.Generator().manual_seed(seed)
    backbone.train()
    with torch.no_grad():
        for _ in range(3):
            backbone(torch.randn(16, model.channels, model.image_size, model.image_size, generator=random))
    return shared_state(backbone)


def feature_dim(model: ModelSettings) -> int:
    return build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0).feature_dim


def random_head(dim: int, *, bias: bool = False, masked: bool = False, seed: int = 2) -> Head:
    random = torch.Generator().manual_seed(seed)
    return Head(
        weight=torch.randn(NUM_CLASSES, dim, generator=random),
        bias=torch.randn(NUM_CLASSES, generator=random) if bias else None,
        keep=MASK if masked else None,
    )


def make_bundle(
    model: ModelSettings | None = None, *, head: Head | None = None, kind: Kind = "personal", rule: Rule = "etf+prior"
) -> Bundle:
    model = model or model_settings()
    return Bundle(
        kind=kind,
        rule=rule,
        class_names=CLASS_NAMES,
        model=model,
        provenance=Provenance(
            federation="orchard",
            round=12,
            client="device-3" if kind == "personal" else None,
            shared_digest=SHARED_DIGEST,
            etf_digest=ETF_DIGEST,
        ),
        backbone=trained_looking(model),
        head=head or random_head(feature_dim(model), bias=True, masked=True),
    )


def make_images(model: ModelSettings | None = None, *, count: int = 24, seed: int = 3) -> LabelledImages:
    model = model or model_settings()
    random = torch.Generator().manual_seed(seed)
    shape = (count, model.channels, model.image_size, model.image_size)
    return LabelledImages(
        images=torch.randint(0, 256, shape, generator=random, dtype=torch.uint8),
        labels=torch.randint(0, NUM_CLASSES, (count,), generator=random),
        class_names=CLASS_NAMES,
    )
