"""A backbone while it trains: built from shared tensors on a device, and back to tensors that can be shared."""

import torch
from torch import nn

from edge.small_maps import keep_small_maps_in_fp32
from shared.backbones import Backbone, loaded_backbone
from shared.precision import in_bf16
from shared.settings import SharedSettings
from shared.tensors import Tensors, shared_state


def trainable_backbone(
    tensors: Tensors, settings: SharedSettings, device: torch.device, *, batch_statistics: bool = True
) -> Backbone:
    """Return a backbone with these tensors in training mode; channels last takes about 30 % off a step in fp32.

    Args:
        tensors: As from ``shared_state``; not changed.
        settings: Name the architecture and the precision.
        device: Where to train.
        batch_statistics: Whether BatchNorm takes its statistics from the batch; False keeps the running ones, for a
            client with a single image, on which a batch has no variance.

    Raises:
        TransferError: The tensors are of another architecture.
    """
    module = loaded_backbone(tensors, settings.model)
    module.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if not batch_statistics:
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the only common parent of the three
                part.eval()
    if device.type == "cpu" and in_bf16(settings.training, device):
        keep_small_maps_in_fp32(module)
    return module


def trained_state(module: nn.Module) -> Tensors:
    """Return the module's shared tensors in plain row-major memory, whatever layout it trained in."""
    return {name: tensor.contiguous() for name, tensor in shared_state(module).items()}
