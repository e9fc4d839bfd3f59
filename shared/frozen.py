"""The frozen classifier S of a federation, made once by its coordinator."""

from torch import Tensor

from shared.backbones import build_backbone
from shared.etf import EtfReport, sparse_etf
from shared.seeds import generator
from shared.settings import SharedSettings


def frozen_classifier(settings: SharedSettings) -> tuple[Tensor, EtfReport]:
    """Return S, (num_classes, feature_dim), float32, for the federation's backbone, and what is to be said of it.

    Raises:
        SettingsError: The backbone's name is unknown.
    """
    model = settings.model
    dimension = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0).feature_dim
    return sparse_etf(
        settings.num_classes,
        dimension,
        row_norm=settings.method.row_norm(dimension),
        sparsity=settings.method.sparsity,
        generator=generator(settings.seed, "etf"),
    )
