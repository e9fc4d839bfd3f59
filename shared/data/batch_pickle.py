"""CIFAR's batches are pickles; this reads them without letting a pickle call anything but two inert stand-ins.

Python's own unpickler runs whatever function a file names. Here every name a batch may use maps to a class of this
module that only stores bytes; any other name refuses the file. Nothing that comes from a network is read this way.
"""

import io
import math
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError

_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,  # also UnicodeDecodeError
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct.error,
)


class _Dtype:
    """Stand-in for ``numpy.dtype``: remembers which type was asked for."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and fields: a single byte has neither."""


class _Array:
    """Stand-in for a ``numpy.ndarray`` of unsigned bytes."""

    def __init__(self, *_: object) -> None:
        self.values: NDArray[np.uint8] | None = None

    def __setstate__(self, state: tuple[object, tuple[int, ...], _Dtype, bool, bytes | str]) -> None:
        _, shape, dtype, is_fortran, raw = state
        payload = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as str
        if dtype.code != "u1" or len(payload) != math.prod(shape):
            raise pickle.UnpicklingError(f"array of type {dtype.code!r} and shape {shape} with {len(payload)} bytes")
        values = np.frombuffer(payload, dtype=np.uint8).reshape(shape, order="F" if is_fortran else "C")
        self.values = np.array(values, order="C")  # writable, its own memory


def _latin1(text: str, encoding: str) -> bytes:
    """Stand-in for ``_codecs.encode``, by which Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
}


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global, or refuse."""
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR batch needs") from None


def load_batch(path: Path) -> dict[str, Any]:
    """Read one batch or meta file.

    Returns:
        Its dictionary; arrays of bytes are ``numpy.ndarray`` of uint8.

    Raises:
        DataError: The file cannot be read, is damaged, or asks for more than arrays of bytes.
    """
    try:
        batch = _InertUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (OSError, *_BROKEN) as cause:
        raise DataError(f"{path} is refused: {cause}", remedy="unpack the data set anew from its authors") from cause
    if not isinstance(batch, dict) or not all(isinstance(key, str) for key in batch):
        raise DataError(f"{path} holds no dictionary", remedy="unpack the data set anew from its authors")
    return {key: value.values if isinstance(value, _Array) else value for key, value in batch.items()}
