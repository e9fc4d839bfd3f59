"""A backbone with given tensors."""

from collections.abc import Mapping

from torch import Tensor

from shared.backbones.build import Backbone, build_backbone
from shared.settings import ModelSettings
from shared.tensors import load_shared_state


def loaded_backbone(tensors: Mapping[str, Tensor], model: ModelSettings) -> Backbone:
    """Build the architecture that settings name and put tensors into it; it is in training mode, on the CPU.

    Args:
        tensors: As from ``shared_state``; not changed.
        model: Names the architecture and its images.

    Raises:
        SettingsError: The architecture is unknown.
        TransferError: The tensors are of another one.
    """
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    load_shared_state(module, tensors)
    return module
