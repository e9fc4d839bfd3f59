"""One name, one architecture: small ResNets of our own, or any torchvision classification model."""

import difflib
from typing import Final

import torch
from torch import Tensor, nn

from shared.backbones.small_resnet import SmallResNet
from shared.errors import SettingsError
from shared.seeds import seeded

SMALL_RESNETS: Final = {"resnet8": 1, "resnet20": 3}
"""Residual blocks per stage, n: 6n + 2 layers (He et al. 2016, section 4.2)."""


class Backbone(nn.Module):
    """Normalised images to pooled features.

    Args:
        features: (N, channels, height, width) to (N, feature_dim).
        feature_dim: Number of features, d.
    """

    feature_dim: int

    def __init__(self, features: nn.Module, feature_dim: int) -> None:
        super().__init__()
        self.features = features
        self.feature_dim = feature_dim

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, feature_dim), float32, of images (N, channels, height, width), float32, normalised."""
        pooled: Tensor = self.features(images)
        return pooled.flatten(1)


def build_backbone(name: str, *, image_size: int, channels: int, seed: int) -> Backbone:
    """Build a backbone with seeded random weights; the global random state is neither read nor changed.

    Args:
        name: ``resnet8``, ``resnet20`` or a torchvision classification model. A torchvision ResNet gets a 3x3 stem
            without max-pooling where images have at most 64 pixels; ``-stem3`` or ``-stem7`` behind its name forces
            one or the other.
        image_size: Height and width in pixels.
        channels: 1 or 3.
        seed: Of the initial weights.

    Returns:
        In training mode, on the CPU.

    Raises:
        SettingsError: The name is unknown, or the architecture does not take images of this size.
    """
    with seeded(seed):
        if name in SMALL_RESNETS:
            small = SmallResNet(SMALL_RESNETS[name], channels)
            return Backbone(small, small.feature_dim)
        from shared.backbones.torchvision_model import torchvision_features  # noqa: PLC0415 - takes 2.5 s to load

        try:
            features = torchvision_features(name, image_size=image_size, channels=channels)
            return Backbone(features, _feature_dim(features, image_size, channels))
        except LookupError as cause:
            raise SettingsError(f"backbone {name!r} is unknown", remedy=_suggestion(name)) from cause
        except (RuntimeError, ValueError, AssertionError) as cause:  # what torchvision raises where a size does not fit
            raise SettingsError(
                f"backbone {name!r} does not take images of {image_size}x{image_size} pixels: {cause}",
                remedy="raise model.image_size or choose a backbone for small images, such as resnet8",
            ) from cause


def _feature_dim(features: nn.Module, image_size: int, channels: int) -> int:
    """Measure the number of features on one blank image."""
    features.eval()
    with torch.no_grad():
        pooled: Tensor = features(torch.zeros(1, channels, image_size, image_size))
    features.train()
    return pooled.flatten(1).shape[1]


def _suggestion(name: str) -> str:
    from shared.backbones.torchvision_model import model_names  # noqa: PLC0415 - as above

    close = difflib.get_close_matches(name, [*SMALL_RESNETS, *model_names()], n=3)
    return f"did you mean {' or '.join(close)}?" if close else "use resnet8, resnet20 or a torchvision model's name"
