"""A traced backbone in fp16 or int8; pixels come in and features go out in fp32 either way."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from export.options import Precision
from export.preprocessing import NORMALISED
from export.runtime import load_runtime, refusals
from export.tracing import quiet, strip
from shared.errors import ExportError
from shared.images import LabelledImages, normalise
from shared.settings import ModelSettings

CALIBRATION_IMAGES: Final = 128
"""Training images that set the ranges of int8 activations, in even steps."""

METHOD: Final = "smallest and largest activation"
"""How a range follows from activations: deterministic, and no worse here than cutting outliers off."""

LARGEST_HALF: Final = 65504.0
"""The largest finite fp16 number."""

BATCH: Final = 16
"""Images per calibration step: every activation of a step is held at once."""


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
    if precision == "fp32":
        return proto
    load_runtime()  # both conversions are its own, and both write into what they are given
    proto = copy.deepcopy(proto)
    if precision == "fp16":
        return _to_half(proto)
    if calibration is None or len(calibration) == 0:
        raise ExportError(
            "int8 needs images to calibrate on: the ranges of its activations come from the device's training images",
            remedy="name labelled images, with --data on the command line",
        )
    return _to_int8(proto, _shown(calibration, model), name=model.backbone)


def _to_half(proto: ModelProto) -> ModelProto:
    """Return the graph in fp16, its input and output in fp32.

    Raises:
        ExportError: A weight is beyond fp16.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 - see load_runtime

    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor)
            if values.size and float(np.abs(values).max()) > LARGEST_HALF:
                raise ExportError(
                    f"{tensor.name} holds {float(np.abs(values).max()):.3g}, beyond fp16's {LARGEST_HALF:.0f}",
                    remedy="export in fp32",
                )
    with quiet():
        halved = strip(convert_float_to_float16(proto, keep_io_types=True))
    nodes = list(halved.graph.node)
    del halved.graph.node[:]
    halved.graph.node.extend(sorted(nodes, key=lambda node: NORMALISED not in node.input))  # its cast came last
    return halved


def _to_int8(proto: ModelProto, images: NDArray[np.float32], *, name: str) -> ModelProto:
    """Return the graph with int8 weights per channel and uint8 activations, as QuantizeLinear and DequantizeLinear.

    Weights use 7 of their 8 bits: x86 without VNNI adds two products in 16 bits, which 8 bits would saturate, and a
    file must compute the same on any of the devices it may reach.

    Raises:
        ExportError: The runtime cannot quantise the backbone.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # noqa: PLC0415 - see load_runtime

    refused: tuple[type[Exception], ...] = (*refusals(), ValueError, RuntimeError)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        try:
            with quiet():
                quantize_static(
                    proto,
                    path,
                    _Reader(images),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    reduce_range=True,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                )
        except refused as cause:
            raise ExportError(
                f"backbone {name} cannot be quantised: {str(cause).splitlines()[0]}", remedy="choose fp16 or fp32"
            ) from cause
        return strip(onnx.load(path))


class _Reader:
    """Hands calibration images to ONNX Runtime, a batch at a time; the name of its method is the runtime's."""

    def __init__(self, images: NDArray[np.float32]) -> None:
        self._batches: Iterator[NDArray[Any]] = iter(
            [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next batch, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {NORMALISED: batch}


def _shown(images: LabelledImages, model: ModelSettings) -> NDArray[np.float32]:
    count = min(len(images), CALIBRATION_IMAGES)
    used = images.select(torch.arange(count) * len(images) // count)  # a source may be sorted by class
    shown: NDArray[np.float32] = normalise(used.images, model.mean, model.std).numpy()
    return shown
