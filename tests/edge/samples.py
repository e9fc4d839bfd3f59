"""Small images, small settings and a small model for tests of training on a device."""

import torch

from edge.trainer import LocalModel
from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.settings import MethodSettings, ModelSettings, SharedSettings, TrainingSettings
from shared.tensors import shared_state

CPU = torch.device("cpu")
NAMES = ("a", "b", "c", "d")


def shared_settings(
    *, backbone: str = "resnet8", method: MethodSettings | None = None, training: TrainingSettings | None = None
) -> SharedSettings:
    """Settings for 8-pixel images of four classes."""
    return SharedSettings(
        federation="test",
        class_names=NAMES,
        seed=3,
        model=ModelSettings(backbone=backbone, image_size=8, mean=(0.4,), std=(0.3,)),
        method=method or MethodSettings(),
        training=training or TrainingSettings(batch_size=4, local_epochs=2, learning_rate=0.05, crop_padding=2),
    )


def labelled_images(labels: list[int]) -> LabelledImages:
    """Random images, brighter for higher labels, so that there is something to learn."""
    draws = torch.Generator().manual_seed(1)
    noise = torch.randint(0, 128, (len(labels), 3, 8, 8), generator=draws)
    shade = torch.tensor(labels, dtype=torch.int64).view(-1, 1, 1, 1) * 40
    return LabelledImages(
        images=(noise + shade).clamp(max=255).to(torch.uint8),
        labels=torch.tensor(labels, dtype=torch.int64),
        class_names=NAMES,
    )


def local_model(settings: SharedSettings, *, bias: bool = False) -> LocalModel:
    """A seeded backbone, and heads that are not zero."""
    model = settings.model
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=5)
    draws = torch.Generator().manual_seed(2)
    psi, phi = (
        Head(
            weight=torch.randn(len(NAMES), module.feature_dim, generator=draws) / 8,
            bias=torch.randn(len(NAMES), generator=draws) if bias else None,
        )
        for _ in range(2)
    )
    return LocalModel(backbone=shared_state(module), psi=psi, phi=phi)


def frame(settings: SharedSettings) -> torch.Tensor:
    """A frozen classifier; that it is no frame does not matter to training."""
    module = build_backbone(settings.model.backbone, image_size=8, channels=3, seed=0)
    return torch.randn(len(NAMES), module.feature_dim, generator=torch.Generator().manual_seed(4)) / 4


def tensors_of(model: LocalModel) -> dict[str, torch.Tensor]:
    """Every tensor of a local model under one name each."""
    named = {f"backbone.{name}": tensor for name, tensor in model.backbone.items()}
    for name, head in (("psi", model.psi), ("phi", model.phi)):
        if head is None:
            continue
        named[f"{name}.weight"] = head.weight
        if head.bias is not None:
            named[f"{name}.bias"] = head.bias
    return named


def same_bytes(first: LocalModel, second: LocalModel) -> bool:
    """Tell whether two local models agree in every bit."""
    a, b = tensors_of(first), tensors_of(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
