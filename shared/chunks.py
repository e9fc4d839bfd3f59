"""A blob in chunks: its manifest, the bytes of one chunk on the wire, and the sender's side of a pull.

A chunk message is a 16-byte big-endian header and the chunk's data, nothing else::

    offset  size  field
    0       1     version, 1
    1       1     flags, 0
    2       2     reserved, 0
    4       8     transfer: the receiver's number for the pull, from its request
    12      4     index of the chunk in the blob
    16      n     data, 1 to 1 MiB; every chunk but the last has the manifest's size
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import TransferError
from shared.limits import CHUNK_BYTES, MAX_CHUNKS_IN_MANIFEST, MIB
from shared.messages import Get, Manifest

VERSION: Final = 1
HEADER: Final = struct.Struct(">BBHQI")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk as it came: whose pull it claims to belong to, where its data claims to stand."""

    transfer: int
    index: int
    data: bytes


def chunk_digest(data: bytes) -> str:
    """Return the BLAKE2b-128 of a chunk's data, 32 hexadecimal characters."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def describe(payload: bytes | Path) -> Manifest:
    """Describe a blob so that a receiver can pull it.

    Args:
        payload: Its bytes, or the file that holds them.

    Raises:
        TransferError: It is empty, cannot be read, or needs more chunks than a manifest lists.
    """
    blob = hashlib.sha256()
    size, digests = 0, []
    for data in _pieces(payload):
        blob.update(data)
        size += len(data)
        digests.append(chunk_digest(data))
        if len(digests) > MAX_CHUNKS_IN_MANIFEST:
            limit = MAX_CHUNKS_IN_MANIFEST * CHUNK_BYTES // MIB
            raise TransferError(f"blob is larger than {limit} MiB, which is not supported yet")
    if size == 0:
        raise TransferError("blob is empty, expected at least one byte")
    return Manifest(blob=blob.hexdigest(), size=size, chunk=CHUNK_BYTES, digests=tuple(digests))


def _pieces(payload: bytes | Path) -> Iterator[bytes]:
    if isinstance(payload, bytes):
        for start in range(0, len(payload), CHUNK_BYTES):
            yield payload[start : start + CHUNK_BYTES]
        return
    try:
        with payload.open("rb") as file:
            while data := file.read(CHUNK_BYTES):
                yield data
    except OSError as cause:
        raise TransferError(f"cannot read blob {payload.name[:12]}: {cause.strerror or cause}") from cause


def encode_chunk(chunk: Chunk) -> bytes:
    """Return a chunk's bytes on the wire."""
    return HEADER.pack(VERSION, 0, 0, chunk.transfer, chunk.index) + chunk.data


def parse_chunk(payload: bytes) -> Chunk:
    """Take a chunk message apart; whether it fits a pull is for the pull to say.

    Raises:
        TransferError: The header is cut short, of another version or sets reserved bits, or the data is missing or too
            long.
    """
    if len(payload) < HEADER.size:
        raise TransferError(f"chunk of {len(payload)} bytes is shorter than its header of {HEADER.size}")
    version, flags, reserved, transfer, index = HEADER.unpack_from(payload)
    if version != VERSION:
        raise TransferError(f"chunk has version {version}, expected {VERSION}")
    if flags or reserved:
        raise TransferError(f"chunk sets flags {flags:#04x} and reserved {reserved:#06x}, expected zeros")
    size = len(payload) - HEADER.size
    if not 0 < size <= MIB:
        raise TransferError(f"chunk carries {size} bytes of data, expected 1 to {MIB}")
    return Chunk(transfer, index, payload[HEADER.size :])


def chunks(get: Get, manifest: Manifest, path: Path) -> Iterator[bytes]:
    """Return the chunk messages that answer a request, at most ``get.credit`` of them.

    Each is read from the file when it is asked for, so a slow network holds one chunk in memory.

    Args:
        get: The request, for this manifest's blob.
        manifest: What was offered.
        path: File with the blob's bytes.

    Raises:
        TransferError: The request is for another blob or for chunks that do not exist, its ranges are empty or overlap,
            or the file is gone. The request is checked by this call, the file while iterating.
    """
    if get.blob != manifest.blob:
        raise TransferError(f"request for blob {get.blob[:12]}, this one is {manifest.blob[:12]}")
    end = 0
    for start, stop in get.ranges:
        if not end <= start < stop <= len(manifest.digests):
            raise TransferError(
                f"request for chunks [{start}, {stop}), expected ascending ranges within [0, {len(manifest.digests)})"
            )
        end = stop
    return _read(get, manifest, path)


def _read(get: Get, manifest: Manifest, path: Path) -> Iterator[bytes]:
    wanted = (index for start, stop in get.ranges for index in range(start, stop))
    try:
        with path.open("rb") as file:
            for _, index in zip(range(get.credit), wanted, strict=False):
                data = os.pread(file.fileno(), manifest.chunk, index * manifest.chunk)
                if not data:
                    raise TransferError(f"blob {get.blob[:12]} ends before chunk {index}")
                yield encode_chunk(Chunk(get.transfer, index, data))
    except OSError as cause:
        raise TransferError(f"cannot read blob {get.blob[:12]}: {cause.strerror or cause}") from cause
