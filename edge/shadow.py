"""An exported file on images of this device, before it serves anybody: the classes it would answer."""

from pathlib import Path

import torch
from torch import Tensor

from edge.serving.model import ServedModel
from edge.serving.opener import Opener
from edge.serving.predictor import BATCH
from edge.serving.sources import load_whole
from shared.images import LabelledImages


def open_checked(path: Path) -> ServedModel:
    """Open an exported file on the CPU, as its proof did.

    Raises:
        VerificationError: The file is missing, or not what its record says.
        ExportError: The runtime refuses it.
    """
    return load_whole(path, Opener("cpu", threads=1))


def shadow(path: Path, images: LabelledImages) -> Tensor:
    """Return the classes (N,), int64, that an exported file answers, by the very path that would serve it.

    Args:
        path: The file, its record beside it.
        images: N of them, 0 included.

    Raises:
        VerificationError: The file is missing, or not what its record says.
        ExportError: The runtime refuses it or the images.
    """
    model = open_checked(path)
    if len(images) == 0:
        return torch.zeros(0, dtype=torch.int64)
    return torch.from_numpy(model.answer(images.images.numpy(), top_k=1, batch=BATCH).classes[:, 0].copy())
