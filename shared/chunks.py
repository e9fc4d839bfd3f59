"""A blob in chunks: its manifest, the bytes of one chunk on the wire, and the sender's side of a pull.

A chunk message is a 16-byte big-endian header and the chunk's data, nothing else::

    offset  size  field
    0       1     version, 1
    1       1     flags, 0
    2       2     reserved, 0
    4       8     transfer: the receiver's number for the pull, from its request; of a broadcast: see wave_number
    12      4     index of the chunk in the blob
    16      n     data, 1 to 1 MiB; every chunk but the last has the manifest's size
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from shared.errors import TransferError
from shared.limits import CHUNK_BYTES, MAX_CHUNKS, MAX_CHUNKS_IN_MANIFEST, MIB
from shared.messages import Get, Manifest
from shared.settings import Codec

VERSION: Final = 1
HEADER: Final = struct.Struct(">BBHQI")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk as it came: whose pull it claims to belong to, where its data claims to stand."""

    transfer: int
    index: int
    data: bytes


def chunk_digest(data: bytes) -> bytes:
    """Return the first 16 bytes of the SHA-256 of a chunk's data.

    Processors of servers and of edge devices compute SHA-256 in hardware: twice as fast as BLAKE2b where measured.
    """
    return hashlib.sha256(data).digest()[:16]


def wave_number(blob: str) -> int:
    """Return what stands in the header of a broadcast chunk in the place of a pull's number."""
    return int(blob[:16], 16)


def describe(payload: bytes | Path, *, chunk: int = CHUNK_BYTES, codec: Codec = "safetensors") -> Manifest:
    """Describe a blob so that a receiver can pull it; see ``describe_with_list``."""
    return describe_with_list(payload, chunk=chunk, codec=codec)[0]


def describe_with_list(
    payload: bytes | Path, *, chunk: int = CHUNK_BYTES, codec: Codec = "safetensors"
) -> tuple[Manifest, bytes]:
    """Describe a blob so that a receiver can pull it.

    Args:
        payload: Its bytes, or the file that holds them.
        chunk: Bytes per chunk.
        codec: How the bytes encode tensors.

    Returns:
        The manifest, and the digests of all chunks, 16 bytes each: where the manifest names a ``digest_list``, a blob
        that must be served as well.

    Raises:
        TransferError: It is empty, cannot be read, or has more than ``MAX_CHUNKS`` chunks.
    """
    blob = hashlib.sha256()
    size, digests = 0, bytearray()
    for data in _pieces(payload, chunk):
        blob.update(data)
        size += len(data)
        digests += chunk_digest(data)
        if len(digests) > 16 * MAX_CHUNKS:
            raise TransferError(f"blob is larger than {MAX_CHUNKS * chunk // MIB} MiB, the most that can be sent")
    if size == 0:
        raise TransferError("blob is empty, expected at least one byte")
    manifest = Manifest(blob=blob.hexdigest(), size=size, chunk=chunk, digests=_hexadecimal(digests), codec=codec)
    if len(digests) // 16 <= MAX_CHUNKS_IN_MANIFEST:
        return manifest, bytes(digests)
    listed = b"".join(chunk_digest(piece) for piece in _pieces(bytes(digests), chunk))
    digest_list = hashlib.sha256(digests).hexdigest()
    return msgspec.structs.replace(manifest, digests=_hexadecimal(listed), digest_list=digest_list), bytes(digests)


def _hexadecimal(digests: bytes | bytearray) -> tuple[str, ...]:
    return tuple(digests[at : at + 16].hex() for at in range(0, len(digests), 16))


def count_chunks(manifest: Manifest) -> int:
    """Return how many chunks the blob has."""
    return -(-manifest.size // manifest.chunk)


def check_manifest(manifest: Manifest) -> None:
    """Refuse a manifest whose numbers contradict each other.

    Raises:
        TransferError: There are too many chunks, or not as many digests as chunks (of the list of digests, where there
            is one).
    """
    count = count_chunks(manifest)
    if count > MAX_CHUNKS:
        raise TransferError(f"manifest of {manifest.blob[:12]} has {count} chunks, at most {MAX_CHUNKS} are supported")
    size = manifest.size if manifest.digest_list is None else 16 * count
    expected = -(-size // manifest.chunk)
    if len(manifest.digests) != expected:
        raise TransferError(
            f"manifest of {manifest.blob[:12]} lists {len(manifest.digests)} chunks, "
            f"{size} bytes in chunks of {manifest.chunk} are {expected}"
        )


def list_manifest(manifest: Manifest) -> Manifest:
    """Return the manifest of a large blob's list of digests, which is a blob itself.

    Raises:
        TransferError: The manifest lists its digests itself.
    """
    if manifest.digest_list is None:
        raise TransferError(f"manifest of {manifest.blob[:12]} lists its digests itself")
    size = 16 * count_chunks(manifest)
    return Manifest(blob=manifest.digest_list, size=size, chunk=manifest.chunk, digests=manifest.digests)


def _pieces(payload: bytes | Path, chunk: int) -> Iterator[bytes]:
    if isinstance(payload, bytes):
        for start in range(0, len(payload), chunk):
            yield payload[start : start + chunk]
        return
    try:
        with payload.open("rb") as file:
            while data := file.read(chunk):
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


def wanted(get: Get, manifest: Manifest) -> list[int]:
    """Return the chunk indexes that a request has credit for.

    Args:
        get: The request, for this manifest's blob.
        manifest: What was offered.

    Raises:
        TransferError: The request is for another blob or for chunks that do not exist, or its ranges are empty or
            overlap.
    """
    if get.blob != manifest.blob:
        raise TransferError(f"request for blob {get.blob[:12]}, this one is {manifest.blob[:12]}")
    end, count = 0, count_chunks(manifest)
    for start, stop in get.ranges:
        if not end <= start < stop <= count:
            raise TransferError(f"request for chunks [{start}, {stop}), expected ascending ranges within [0, {count})")
        end = stop
    return list(islice((index for start, stop in get.ranges for index in range(start, stop)), get.credit))


def read_chunk(source: bytes | Path, manifest: Manifest, index: int) -> bytes:
    """Return one chunk's data.

    Args:
        source: The blob's bytes, or the file that holds them.
        manifest: What was offered.
        index: Which chunk.

    Raises:
        TransferError: The file is gone or has become shorter.
    """
    at = index * manifest.chunk
    if isinstance(source, bytes):
        data = source[at : at + manifest.chunk]
    else:
        try:
            with source.open("rb") as file:
                data = os.pread(file.fileno(), manifest.chunk, at)
        except OSError as cause:
            raise TransferError(f"cannot read blob {manifest.blob[:12]}: {cause.strerror or cause}") from cause
    if len(data) != min(manifest.chunk, manifest.size - at):
        raise TransferError(f"blob {manifest.blob[:12]} ends before chunk {index} does")
    return data


def chunks(get: Get, manifest: Manifest, source: bytes | Path) -> Iterator[bytes]:
    """Return the chunk messages that answer a request, each read when it is asked for.

    Raises:
        TransferError: As ``wanted``, by this call; as ``read_chunk``, while iterating.
    """
    indexes = wanted(get, manifest)
    return (encode_chunk(Chunk(get.transfer, index, read_chunk(source, manifest, index))) for index in indexes)
