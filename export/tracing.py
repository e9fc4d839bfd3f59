"""A backbone as ONNX nodes: traced by torch, stripped of the traces it leaves, put into the precision asked for."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Final

import onnx
import torch
from onnx import ModelProto

from export.answering import FEATURES
from export.bundle import Bundle
from export.options import OPSET
from export.preprocessing import NORMALISED
from shared.backbones import Backbone
from shared.errors import ExportError

IR_VERSION: Final = 8
"""The file format opset 18 came with; the graph uses nothing newer, and older runtimes refuse a higher number."""


def trace(bundle: Bundle) -> ModelProto:
    """Return the bundle's backbone in fp32: ``normalised`` (batch, channels, size, size) to ``features`` (batch, d).

    Batch normalisation behind a convolution is folded into it by the exporter.

    Raises:
        ExportError: The bundle was refused, or its backbone has an operation that ONNX cannot express.
    """
    backbone = bundle.features().requires_grad_(requires_grad=False)
    example = torch.zeros(2, bundle.model.channels, bundle.model.image_size, bundle.model.image_size)
    return strip(_trace(backbone, example, name=bundle.model.backbone))


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


def _trace(backbone: Backbone, example: torch.Tensor, *, name: str) -> ModelProto:
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                backbone,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[NORMALISED],
                output_names=[FEATURES],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
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
def quiet() -> Iterator[None]:
    """Keep a converter's notes about itself off the terminal; what matters of them is raised or checked."""
    loggers = [logging.getLogger("torch"), logging.getLogger()]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
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
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
