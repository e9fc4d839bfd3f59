"""The personal head as a file on the device: phi_k and nothing else, under the digest of its bytes."""

from shared.blobs import BlobStore
from shared.heads import Head
from shared.tensors import decode, encode


def store_head(head: Head, blobs: BlobStore) -> str:
    """Write a head durably and return its blob.

    Raises:
        ArtifactError: The disk is full.
    """
    tensors = {"weight": head.weight} if head.bias is None else {"weight": head.weight, "bias": head.bias}
    return blobs.put(encode(tensors))


def load_head(blob: str, blobs: BlobStore) -> Head:
    """Read a head back.

    Raises:
        TransferError: The file is missing or was changed.
    """
    tensors = decode(blobs.get(blob))
    return Head(weight=tensors["weight"], bias=tensors.get("bias"))
