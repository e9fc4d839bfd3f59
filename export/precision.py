"""A traced backbone in fp16 or int8: features go out in fp32 either way."""

from typing import Final

from onnx import ModelProto

from export.options import Precision
from shared.errors import ExportError
from shared.images import LabelledImages
from shared.settings import ModelSettings

CALIBRATION_IMAGES: Final = 128
"""Training images that set the ranges of int8 activations, in even steps."""

METHOD: Final = "smallest and largest activation"


def in_precision(
    proto: ModelProto, precision: Precision, *, model: ModelSettings, calibration: LabelledImages | None
) -> ModelProto:
    """Return the backbone in a precision.

    Args:
        proto: Of ``export.tracing.trace``.
        precision: Which.
        model: How images are normalised.
        calibration: Images that set the ranges of int8 activations.

    Raises:
        ExportError: int8 without images to calibrate on, or a backbone that the precision cannot express.
    """
    del model, calibration
    if precision != "fp32":
        raise ExportError(f"{precision} is not there yet")
    return proto
