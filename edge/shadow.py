"""An exported file on images of this device, before it serves anybody: the classes it would have answered."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.parity import runtime_logits
from export.record import read_record
from export.runtime import open_session
from export.verify import read_unchanged
from shared.images import LabelledImages


def open_checked(path: Path) -> Any:
    """Open an exported file on the CPU, as its proof did.

    Raises:
        VerificationError: The file is missing, or not what its record says.
        ExportError: The runtime refuses it.
    """
    return open_session(read_unchanged(path, read_record(path)), device="cpu")


def shadow(path: Path, images: LabelledImages) -> Tensor:
    """Return the classes (N,), int64, that an exported file answers.

    Args:
        path: The file, its record beside it.
        images: N of them, 0 included.

    Raises:
        VerificationError: The file is missing, or not what its record says.
        ExportError: The runtime refuses it or the images.
    """
    session = open_checked(path)
    if len(images) == 0:
        return torch.zeros(0, dtype=torch.int64)
    return runtime_logits(session, images.images).argmax(1)
