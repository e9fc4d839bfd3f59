"""One ONNX graph from one bundle: pinned opset, dynamic batch, nothing of the machine that made it.

The graph's only input is ``images`` (batch, channels, height, width), float32, pixels scaled to 0..1; its only output
is ``logits`` (batch, num_classes), float32. Resizing is the caller's, normalisation is the graph's.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Final

import msgspec
import onnx
import torch
from onnx import ModelProto

from export.bundle import Bundle, head_digest
from export.module import ExportedModel
from shared.errors import ExportError

OPSET: Final = 18
"""What torch's exporter writes by itself: any other passes through a version converter, which is one more translation
to trust. ONNX Runtime has read it since 1.14."""

IR_VERSION: Final = 8
"""The file format opset 18 came with; the graph uses nothing newer, and older runtimes refuse a higher number."""

INPUT: Final = "images"
OUTPUT: Final = "logits"
METADATA_VERSION: Final = "1"


def to_onnx(bundle: Bundle) -> bytes:
    """Return the bundle's model as ONNX bytes; the same bundle gives the same bytes in any folder and process.

    Raises:
        ExportError: The bundle was refused, or its backbone has an operation that ONNX cannot express.
    """
    model = bundle.module().requires_grad_(requires_grad=False)
    example = torch.zeros(2, bundle.model.channels, bundle.model.image_size, bundle.model.image_size)
    proto = strip(_trace(model, example, name=bundle.model.backbone))
    for key, value in metadata(bundle).items():
        proto.metadata_props.add(key=key, value=value)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as cause:
        raise ExportError(f"the graph of {bundle.model.backbone} is not valid ONNX: {cause}") from cause
    return bytes(proto.SerializeToString(deterministic=True))


def metadata(bundle: Bundle) -> dict[str, str]:
    """Return what the file says about itself, in the order it is written.

    Keys: ``format``, ``kind``, ``rule``, ``class_names`` (JSON list in label order), ``input`` (JSON), ``federation``,
    ``round``, ``client`` (empty for the generic model), ``shared_digest``, ``etf_digest``, ``head_digest``.
    """
    source = bundle.provenance
    return {
        "format": METADATA_VERSION,
        "kind": bundle.kind,
        "rule": bundle.rule,
        "class_names": msgspec.json.encode(bundle.class_names).decode(),
        "input": msgspec.json.encode(
            {"layout": "NCHW", "range": [0, 1], "size": bundle.model.image_size, "channels": bundle.model.channels}
        ).decode(),
        "federation": source.federation,
        "round": str(source.round),
        "client": source.client or "",
        "shared_digest": source.shared_digest,
        "etf_digest": source.etf_digest,
        "head_digest": head_digest(bundle.head),
    }


def strip(proto: ModelProto) -> ModelProto:
    """Return a model with the same computation and none of the exporter's traces.

    The exporter leaves stack traces with file paths, class names, its own version and doc strings; built anew from the
    parts that compute, a part that a later exporter adds cannot slip through at the top level.
    """
    graph = onnx.helper.make_graph(
        nodes=list(proto.graph.node),
        name="fedloge",
        inputs=list(proto.graph.input),
        outputs=list(proto.graph.output),
        initializer=list(proto.graph.initializer),
    )
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    if proto.functions or any(a.HasField("g") or a.graphs for node in graph.node for a in node.attribute):
        raise ExportError("the graph has functions or sub-graphs, whose traces are not stripped")
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="fedloge"
    )


def _trace(model: ExportedModel, example: torch.Tensor, *, name: str) -> ModelProto:
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as cause:
        raise ExportError(
            f"backbone {name} cannot be expressed in ONNX opset {OPSET}: {cause}", remedy="choose another backbone"
        ) from cause
    if program is None:
        raise ExportError(f"the exporter returned no graph for backbone {name}")
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes about itself off the terminal; what matters of them is raised or checked."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
