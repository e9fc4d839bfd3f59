"""An update as bytes: a safetensors file whose entries are the tensors as they are, in half precision, or compressed.

Each tensor is encoded on its own, so that a reader decodes one at a time and never holds two models:

==============  ====================================================================================
codec           an entry is
==============  ====================================================================================
safetensors     the float32 tensor
fp16, bf16      the tensor rounded to nearest even in that format; beyond fp16's 65504 it is infinite and is refused
…+zstd          uint8 in one dimension: a zstd frame of the same bytes, sorted by significance: all lowest bytes first,
                because the signs and exponents of weights repeat and their last digits do not
==============  ====================================================================================

A quantised encoding joins here: a name in ``shared.settings.Codec`` and a row in ``_FORMATS``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import zstandard
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from shared.errors import TransferError
from shared.settings import Codec

LEVEL: Final = 1
"""zstd's: higher ones take two to ten times the time for at most a hundredth more of the bytes."""


@dataclass(frozen=True, slots=True)
class _Format:
    """How a codec writes one tensor."""

    dtype: torch.dtype
    compressed: bool


_FORMATS: Final[dict[Codec, _Format]] = {
    "safetensors": _Format(torch.float32, compressed=False),
    "fp16": _Format(torch.float16, compressed=False),
    "bf16": _Format(torch.bfloat16, compressed=False),
    "fp32+zstd": _Format(torch.float32, compressed=True),
    "fp16+zstd": _Format(torch.float16, compressed=True),
    "bf16+zstd": _Format(torch.bfloat16, compressed=True),
}


def encode_update(tensors: Mapping[str, Tensor], codec: Codec) -> bytes:
    """Encode tensors, names in sorted order, so that equal tensors give equal bytes.

    Args:
        tensors: Names to float32 tensors.
        codec: How.
    """
    form = _FORMATS[codec]
    entries = {}
    for name in sorted(tensors):
        plain = tensors[name].detach().to("cpu", form.dtype).contiguous()
        entries[name] = _compress(plain) if form.compressed else plain
    return bytes(save(entries))


def decode_update(path: Path, codec: Codec, *, shapes: Mapping[str, torch.Size]) -> Iterator[tuple[str, Tensor]]:
    """Read an update's tensors from its file, one at a time, in the file's order.

    Whatever is in the file costs no more memory than the largest tensor it should hold.

    Args:
        path: The file.
        codec: How it was encoded.
        shapes: Of the tensors it should hold: bounds what is decompressed. An entry of another name is yielded as it
            is, for the caller to refuse.

    Yields:
        Name and tensor: float32, unless the file holds another type than its codec's.

    Raises:
        TransferError: The file is no such file, an entry is no frame, or a frame's size is not its tensor's.
    """
    form = _FORMATS[codec]
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                entry = file.get_tensor(name)
                shape = shapes.get(name)
                if shape is not None and form.compressed:
                    entry = _decompress(name, entry, form.dtype, shape)
                yield name, entry.to(torch.float32) if entry.dtype == form.dtype else entry
    except (SafetensorError, OSError, ValueError, RuntimeError, OverflowError) as cause:
        raise TransferError(f"update {path.name[:12]} is no {codec} file: {cause}") from cause


def _compress(tensor: Tensor) -> Tensor:
    width = tensor.element_size()
    planes = np.ascontiguousarray(tensor.view(torch.uint8).numpy().reshape(-1, width).T)
    compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj(size=planes.nbytes)
    frame = bytearray()
    for plane in planes:  # each in blocks of its own: one code for all of them would fit none
        frame += compressor.compress(plane.data) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    frame += compressor.flush()
    return torch.frombuffer(frame, dtype=torch.uint8)


def _decompress(name: str, entry: Tensor, dtype: torch.dtype, shape: torch.Size) -> Tensor:
    """Return the tensor in a frame; one that says it is larger than the tensor is never unpacked.

    Raises:
        TransferError: The entry is no frame, or not of this tensor's size.
    """
    if entry.dtype != torch.uint8 or entry.dim() != 1:
        raise TransferError(f"{name} is {entry.dtype} of {entry.dim()} dimensions, expected a row of bytes")
    width = dtype.itemsize
    size = shape.numel() * width
    frame = entry.numpy()
    try:
        claimed = zstandard.frame_content_size(frame.data)
        if claimed != size:
            raise TransferError(f"{name} unpacks to {claimed} bytes, expected {size}")
        planes = zstandard.ZstdDecompressor().decompress(frame.data, allow_extra_data=False)
    except zstandard.ZstdError as cause:
        raise TransferError(f"{name} is no zstd frame: {cause}") from cause
    plain = np.ascontiguousarray(np.frombuffer(planes, dtype=np.uint8).reshape(width, -1).T)
    return torch.from_numpy(plain.reshape(-1)).view(dtype).reshape(shape)
