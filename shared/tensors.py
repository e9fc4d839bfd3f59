"""Named tensors as bytes and as a digest: safetensors on the wire and on disk, nothing that unpickles."""

import hashlib
from collections.abc import Mapping
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from shared.errors import TransferError

Tensors: TypeAlias = dict[str, Tensor]
"""Names to float32 CPU tensors: what is shared, stored and averaged."""


def encode(tensors: Mapping[str, Tensor]) -> bytes:
    """Encode as safetensors, names in sorted order, so that equal tensors give equal bytes."""
    return bytes(save({name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}))


def decode(payload: bytes) -> Tensors:
    """Decode safetensors bytes.

    Raises:
        TransferError: The bytes are no safetensors file.
    """
    try:
        return dict(load(payload))
    except (SafetensorError, ValueError, KeyError, OverflowError) as cause:
        raise TransferError(f"payload of {len(payload)} bytes is no safetensors file: {cause}") from cause


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the encoded tensors: the ``global_digest`` of the final shared ones."""
    return hashlib.sha256(encode(tensors)).hexdigest()


def shared_state(module: nn.Module) -> Tensors:
    """Return the module's floating-point parameters and buffers, detached copies on the CPU.

    Counters such as ``num_batches_tracked`` are left out: nothing reads them while BatchNorm has a momentum, and the
    mean of counters has no meaning.
    """
    state = module.state_dict()
    return {name: t.detach().cpu().clone() for name, t in state.items() if t.is_floating_point()}


def load_shared_state(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors made by ``shared_state`` into a module of the same architecture.

    Raises:
        TransferError: A name or a shape differs from the module's.
    """
    own = {name: t for name, t in module.state_dict().items() if t.is_floating_point()}
    if own.keys() != tensors.keys():
        raise TransferError(f"tensor names differ from the backbone's: {sorted(own.keys() ^ tensors.keys())}")
    for name, tensor in tensors.items():
        if own[name].shape != tensor.shape:
            raise TransferError(f"{name} has shape {tuple(tensor.shape)}, the backbone has {tuple(own[name].shape)}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Return the same tensors, each name behind ``prefix``."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Return the tensors whose name starts with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
