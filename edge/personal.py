"""What a client keeps for itself: its head and, where the method says so, its own backbone; none of it is sent."""

from dataclasses import dataclass

from shared.blobs import BlobStore
from shared.heads import Head
from shared.tensors import Tensors, decode, encode, with_prefix, without_prefix

BACKBONE = "backbone."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Personal:
    """One client's personal part after a round.

    Attributes:
        phi: The personal head, or None where the method has none.
        backbone: The client's own backbone, float32 on the CPU, or None where it uses the shared one.
    """

    phi: Head | None = None
    backbone: Tensors | None = None


def store_personal(personal: Personal, blobs: BlobStore) -> str:
    """Write the personal part durably and return its blob.

    Raises:
        ArtifactError: The disk is full.
    """
    tensors = {} if personal.backbone is None else with_prefix(BACKBONE, personal.backbone)
    if personal.phi is not None:
        tensors["weight"] = personal.phi.weight
        if personal.phi.bias is not None:
            tensors["bias"] = personal.phi.bias
    return blobs.put(encode(tensors))


def load_personal(blob: str, blobs: BlobStore) -> Personal:
    """Read the personal part back.

    Raises:
        TransferError: The file is missing or was changed.
    """
    tensors = decode(blobs.get(blob))
    weight, backbone = tensors.get("weight"), without_prefix(BACKBONE, tensors)
    return Personal(
        phi=None if weight is None else Head(weight=weight, bias=tensors.get("bias")), backbone=backbone or None
    )
