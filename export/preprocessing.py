"""The first stage of a graph: from what the caller has to normalised pixels of the backbone's size.

Raw pixels are resized as ``shared.data.pixels`` does it for training, evaluation and prediction: PIL's bilinear filter,
whose support grows with the reduction, in PIL's fixed-point arithmetic. ONNX's own ``Resize`` rounds its coefficients
otherwise and was off by one level in up to a quarter of the pixels, which would have left no useful bound on a logit.
Here each axis is one matrix product with integer coefficients in float64, where all of them are exact.

Pillow passes over rows first, and so does the graph. Pillow 13 passes over columns first for some tall images: there
single pixels differ by one level of 255.
"""

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, ValueInfoProto

from export.options import GraphOptions
from export.stage import Stage, constant, joined, node
from shared.settings import ModelSettings

IMAGES: Final = "images"
"""Name of the graph's only input."""

NORMALISED: Final = "normalised"
"""What this stage computes: (batch, channels, size, size), float32."""

FIXED_POINT: Final = float(1 << 22)
"""PIL's unit of a coefficient: 32 bits less 8 of the pixel and 2 of head room."""


def image_input(model: ModelSettings, options: GraphOptions) -> ValueInfoProto:
    """Describe the graph's input."""
    batch = options.batch or "batch"
    if options.input == "uint8-nhwc":
        return onnx.helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, [batch, "height", "width", model.channels])
    shape = [batch, model.channels, model.image_size, model.image_size]
    return onnx.helper.make_tensor_value_info(IMAGES, TensorProto.FLOAT, shape)


def preprocessing(model: ModelSettings, options: GraphOptions) -> Stage:
    """Return the stage from ``images`` to ``normalised``."""
    if options.input == "normalised-nchw":
        return Stage(nodes=(node("Identity", IMAGES, NORMALISED),), constants=())
    if options.input == "unit-nchw":
        return _normalising(model, IMAGES)
    scaling = Stage(
        nodes=(node("Cast", "pixels", "levels", to=TensorProto.FLOAT), node("Div", "levels full", "unit")),
        constants=(constant("full", np.array(255.0, np.float32)),),
    )
    return joined([_resizing(model.image_size), scaling, _normalising(model, "unit")])


def _normalising(model: ModelSettings, pixels: str) -> Stage:
    shape = (1, -1, 1, 1)
    return Stage(
        nodes=(node("Sub", f"{pixels} shift", "centred"), node("Div", "centred scale", NORMALISED)),
        constants=(
            constant("shift", np.array(model.mean, np.float32).reshape(shape)),
            constant("scale", np.array(model.std, np.float32).reshape(shape)),
        ),
    )


def _resizing(size: int) -> Stage:
    """From ``images`` (batch, height, width, channels), uint8, to ``pixels`` (batch, channels, size, size), float64."""
    before = Stage(
        nodes=(
            node("Transpose", IMAGES, "planes", perm=[0, 3, 1, 2]),
            node("Cast", "planes", "exact", to=TensorProto.DOUBLE),
        ),
        constants=(
            constant("fixed", np.array(FIXED_POINT)),
            constant("round", np.array(FIXED_POINT / 2)),
            constant("half", np.array(0.5)),
            constant("one", np.array(1.0)),
            constant("zero", np.array(0.0)),
            constant("length", np.array(float(size))),
            constant("along", np.array([1])),
            constant("middles", np.arange(size)[:, None] + 0.5),  # (size, 1)
        ),
    )
    rows = Stage(
        nodes=(
            node("Transpose", "x.fixed", "x.turned", perm=[1, 0]),
            node("MatMul", "exact x.turned", "x.sum"),  # (batch, channels, height, size)
            *_to_levels("x.sum", "narrow"),
        ),
        constants=(),
    )
    columns = Stage(
        nodes=(node("MatMul", "y.fixed narrow", "y.sum"), *_to_levels("y.sum", "pixels")),
        constants=(),
    )
    return joined([before, _coefficients("x", axis=2), rows, _coefficients("y", axis=1), columns])


def _coefficients(name: str, *, axis: int) -> Stage:
    """Compute ``{name}.fixed`` (size, length of the axis): PIL's triangle filter, one row per pixel to come.

    With r the reduction and s = max(r, 1), pixel x counts max(0, 1 - |(x + 1/2 - (i + 1/2) r) / s|) for pixel i,
    divided by the row's sum and rounded to PIL's fixed point.
    """

    def step(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
        names = " ".join(f"{name}{part}" if part.startswith(".") else part for part in inputs.split())
        return node(operator, names, name + output, **attributes)

    return Stage(
        nodes=(
            step("Shape", IMAGES, ".shape", start=axis, end=axis + 1),
            step("Squeeze", ".shape", ".count"),
            step("Cast", ".count", ".length", to=TensorProto.DOUBLE),
            step("Div", ".length length", ".reduction"),
            step("Max", ".reduction one", ".support"),
            step("Mul", "middles .reduction", ".centre"),
            step("Range", "zero .length one", ".index"),
            step("Add", ".index half", ".middle"),
            step("Sub", ".middle .centre", ".offset"),
            step("Div", ".offset .support", ".relative"),
            step("Abs", ".relative", ".distance"),
            step("Sub", "one .distance", ".slope"),
            step("Max", ".slope zero", ".triangle"),
            step("ReduceSum", ".triangle along", ".total", keepdims=1),
            step("Div", ".triangle .total", ".share"),
            step("Mul", ".share fixed", ".scaled"),
            step("Add", ".scaled half", ".raised"),
            step("Floor", ".raised", ".fixed"),
        ),
        constants=(),
    )


def _to_levels(sums: str, levels: str) -> tuple[onnx.NodeProto, ...]:
    """Round fixed-point sums to whole levels: weights are positive and add up to one, so no level leaves 0..255."""
    return (
        node("Add", f"{sums} round", f"{sums}.raised"),
        node("Div", f"{sums}.raised fixed", f"{sums}.levels"),
        node("Floor", f"{sums}.levels", levels),
    )
