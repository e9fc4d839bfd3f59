"""A part of a graph before it is whole: nodes and the constants they read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Nodes in the order they run, and their constants.

    Attributes:
        nodes: Each reads what earlier ones wrote.
        constants: Initializers, each under its own name.
    """

    nodes: tuple[NodeProto, ...]
    constants: tuple[TensorProto, ...]


def joined(stages: Sequence[Stage]) -> Stage:
    """Return the stages one behind the other."""
    return Stage(
        nodes=tuple(node for stage in stages for node in stage.nodes),
        constants=tuple(tensor for stage in stages for tensor in stage.constants),
    )


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    """Return a node; names are separated by spaces, and the first output names the node."""
    names = outputs.split()
    return onnx.helper.make_node(operator, inputs.split(), names, name=f"node.{names[0]}", **attributes)


def constant(name: str, values: NDArray[np.generic]) -> TensorProto:
    """Return an initializer."""
    return onnx.numpy_helper.from_array(np.asarray(values, order="C"), name=name)
