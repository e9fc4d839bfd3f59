"""Any torchvision classification model with its classifier removed, adapted to small and to grey images."""

from typing import Any, Final

from torch import Tensor, nn
from torchvision import models

SMALL_IMAGE: Final = 64
"""Pixels up to which a ResNet gets a 3x3 stem: the 7x7 stem would leave 2x2 positions of a 64-pixel image."""

STEMS: Final = {"-stem3": True, "-stem7": False}


class Grey(nn.Module):
    """Repeats a grey image's one channel three times for a model made for colour.

    Args:
        features: Takes three channels.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of images (N, 1, height, width)."""
        features: Tensor = self.features(images.expand(-1, 3, -1, -1))
        return features


def model_names() -> list[str]:
    """Return the names of torchvision's classification models."""
    names: list[str] = models.list_models(module=models)
    return names


def torchvision_features(name: str, *, image_size: int, channels: int) -> nn.Module:
    """Build a torchvision model whose last layer with weights is an identity.

    Raises:
        LookupError: torchvision has no such model.
        ValueError, RuntimeError, AssertionError: It does not take images of this size.
    """
    base, small_stem = name, image_size <= SMALL_IMAGE
    for suffix, forced in STEMS.items():
        if name.endswith(suffix) and "resnet" in name:
            base, small_stem = name.removesuffix(suffix), forced
    if base not in model_names():
        raise LookupError(name)
    model: nn.Module = models.get_model(base, weights=None, **_arguments(base, image_size))
    if isinstance(model, models.ResNet) and small_stem:
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
        model.maxpool = nn.Identity()
    _remove_classifier(model)
    return model if channels == 3 else Grey(model)


def _arguments(name: str, image_size: int) -> dict[str, Any]:
    """Return what some families must be told: to give one output only, or the size of the images."""
    if name in {"googlenet", "inception_v3"}:
        return {"aux_logits": False, "init_weights": True}
    if name.startswith("vit_"):
        return {"image_size": image_size}
    if name.startswith("maxvit"):
        return {"input_size": (image_size, image_size)}
    return {}


def _remove_classifier(model: nn.Module) -> None:
    """Replace the last linear layer, or in its absence the last convolution, by an identity."""
    for kind in (nn.Linear, nn.Conv2d):
        found = [name for name, module in model.named_modules() if isinstance(module, kind)]
        if found:
            parent, _, leaf = found[-1].rpartition(".")
            setattr(model.get_submodule(parent), leaf, nn.Identity())
            return
