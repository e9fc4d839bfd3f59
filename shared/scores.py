"""Macro-F1 and calibration error, by torchmetrics: one definition that others use too."""

import importlib
from typing import Any

import torch
from torch import Tensor

from shared.errors import SettingsError

BINS = 15
"""Of equal width between confidence 0 and 1, as in Guo et al. 2017."""

_REMEDY = "pip install 'fedloge[lab]'"


def macro_f1(logits: Tensor, labels: Tensor) -> float:
    """Return the unweighted mean over classes of F1 = 2 tp / (2 tp + fp + fn).

    Classes that are neither asked for nor answered are left out; one that is answered wrongly only counts as 0.

    Args:
        logits: (N, num_classes), float.
        labels: (N,), int64.

    Raises:
        ValueError: There is no image.
        SettingsError: torchmetrics is not installed.
    """
    _refuse_nothing(labels)
    score = _torchmetrics("macro-F1").multiclass_f1_score
    return float(score(logits.argmax(1), labels, num_classes=logits.shape[1], average="macro"))


def calibration_error(logits: Tensor, labels: Tensor) -> float:
    """Return the expected calibration error, 0..1, of the probabilities ``softmax(logits)``.

    ECE = sum over bins of (images in it / N) * |accuracy in it - mean confidence in it|, where confidence is the
    largest probability and a bin holds its lower bound (Guo et al. 2017, eq. 3, with ``BINS`` bins). A method that
    answers from logits of another scale than it was trained with has another calibration, whatever its accuracy.

    Args:
        logits: (N, num_classes), float.
        labels: (N,), int64.

    Raises:
        ValueError: There is no image.
        SettingsError: torchmetrics is not installed.
    """
    _refuse_nothing(labels)
    error = _torchmetrics("the calibration error").multiclass_calibration_error
    # torchmetrics takes any values within 0..1 for probabilities, which small logits are not
    probabilities = torch.softmax(logits.to(torch.float64), dim=1)
    return float(error(probabilities, labels, num_classes=logits.shape[1], n_bins=BINS))


def _torchmetrics(what: str) -> Any:
    """Return the module: an extra, and slow to load.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        return importlib.import_module("torchmetrics.functional.classification")
    except ImportError as cause:
        raise SettingsError(f"{what} needs torchmetrics, which is not installed", remedy=_REMEDY) from cause


def _refuse_nothing(labels: Tensor) -> None:
    if labels.numel() == 0:
        raise ValueError("the score of no image is undefined")
