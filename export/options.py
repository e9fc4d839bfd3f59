"""What an exported graph may look like: every option, and one table of what each value goes with."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from shared.errors import ExportError

Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
Input: TypeAlias = Literal["unit-nchw", "normalised-nchw", "uint8-nhwc"]
Output: TypeAlias = Literal["logits", "probabilities"]
Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt"]

OPSET: Final = 18
"""What torch's exporter writes by itself: any other passes through a version converter, which is one more translation
to trust. ONNX Runtime has read it since 1.14."""


class GraphOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a graph is written. The opset is no option: it is pinned to ``OPSET``.

    Attributes:
        precision: Of the backbone; heads are fp32 in every precision, so that priors and masks stay exact and a new
            head needs no calibration.
        input: "unit-nchw" float32 pixels scaled to 0..1, normalised inside; "normalised-nchw" float32 pixels the caller
            has normalised; "uint8-nhwc" raw pixels of any size, resized and normalised inside.
        output: "logits", or "probabilities" (their softmax).
        top_k: Answer only the k largest outputs and their classes; None answers all classes in label order.
        batch: Images per call, or None for any number.
    """

    precision: Precision = "fp32"
    input: Input = "unit-nchw"
    output: Output = "logits"
    top_k: Annotated[int, Meta(ge=1)] | None = None
    batch: Annotated[int, Meta(ge=1, le=4096)] | None = None


class Tolerance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far an exported model may be from PyTorch.

    Attributes:
        logit: Largest difference of a logit, per unit of the largest one; None where accuracy decides.
        accuracy_points: Percentage points of accuracy that may be lost on labelled images, or one image where that is
            more; None where the logits decide.
        reason: Why so much, for the certificate's reader.
    """

    logit: float | None
    accuracy_points: float | None
    reason: str


TOLERANCES: Final[dict[Precision, Tolerance]] = {
    "fp32": Tolerance(
        logit=1e-5,
        accuracy_points=None,
        reason="84 units in the last place of fp32: two orders of summation through a deep network; a wrong weight is "
        "orders of magnitude above it",
    ),
    "fp16": Tolerance(
        logit=None,
        accuracy_points=0.5,
        reason="10 bits of mantissa: logits move by about a thousandth, so labels may change only where two classes "
        "were nearly level",
    ),
    "int8": Tolerance(
        logit=None,
        accuracy_points=1.0,
        reason="256 levels per activation and 128 per weight, scaled per channel on training images: the labels decide",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of one option: what it goes with.

    Attributes:
        option: Field of ``GraphOptions``.
        value: Its value, or "k" and "n" for any number.
        precisions: Precisions it goes with.
        providers: Execution providers a file with it runs on.
        why: Why not the others; empty where there are none.
    """

    option: str
    value: str
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")
    providers: tuple[Provider, ...] = ("cpu", "cuda", "tensorrt")
    why: str = ""


TABLE: Final = (
    Row(option="precision", value="fp32", precisions=("fp32",)),
    Row(option="precision", value="fp16", precisions=("fp16",)),
    Row(
        option="precision",
        value="int8",
        precisions=("int8",),
        providers=("cpu",),
        why="CUDA has no int8 convolution in ONNX Runtime and would compute in fp32 between conversions; TensorRT asks "
        "for symmetric activations, which this file has not",
    ),
    Row(option="input", value="unit-nchw"),
    Row(option="input", value="normalised-nchw"),
    Row(
        option="input",
        value="uint8-nhwc",
        providers=("cpu", "cuda"),
        why="the resize is computed in float64 to agree with PIL to the bit, and TensorRT has no float64",
    ),
    Row(option="output", value="logits"),
    Row(option="output", value="probabilities"),
    Row(option="top_k", value="none"),
    Row(option="top_k", value="k"),
    Row(option="batch", value="any"),
    Row(option="batch", value="n"),
)
"""The tolerance of a combination is that of its precision, in ``TOLERANCES``."""


def rows(options: GraphOptions) -> tuple[Row, ...]:
    """Return the rows that a combination uses, one per option."""
    values = {
        ("precision", options.precision),
        ("input", options.input),
        ("output", options.output),
        ("top_k", "none" if options.top_k is None else "k"),
        ("batch", "any" if options.batch is None else "n"),
    }
    return tuple(row for row in TABLE if (row.option, row.value) in values)


def check_options(options: GraphOptions, *, provider: Provider, allowed_classes: int | None = None) -> None:
    """Refuse a combination that is not supported; nothing is ever adjusted.

    Args:
        options: What is asked for.
        provider: Where the file shall run.
        allowed_classes: Classes that the head's mask allows, or None where no head is at hand.

    Raises:
        ExportError: The combination is not supported; the message says which part and why.
    """
    for row in rows(options):
        if provider not in row.providers:
            raise ExportError(
                f"{row.option} {row.value} does not run on {provider}: {row.why}",
                remedy=f"use it on {' or '.join(row.providers)}, or choose another {row.option}",
            )
        if options.precision not in row.precisions:
            raise ExportError(
                f"{row.option} {row.value} does not go with {options.precision}: {row.why}",
                remedy=f"use it with {' or '.join(row.precisions)}",
            )
    if options.top_k is not None and allowed_classes is not None and options.top_k > allowed_classes:
        raise ExportError(
            f"top_k is {options.top_k}, but this model may answer only {allowed_classes} classes: the rest would be "
            "classes that its mask forbids or that it has not",
            remedy=f"ask for at most {allowed_classes}",
        )
