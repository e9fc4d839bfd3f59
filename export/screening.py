"""Files that may be hostile, looked at before ONNX Runtime opens them: the runtime trusts sizes and paths it reads.

Accepted is what this package writes and nothing else: our opset, standard operators without sub-graphs, constants whose
bytes are as many as their shape says, and external data in one known file within its bounds.
"""

import math
from collections.abc import Mapping
from typing import Final

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorProto

from export.options import OPSET
from export.tracing import IR_VERSION
from shared.errors import VerificationError
from shared.limits import MAX_BLOB_BYTES

MAX_DIMENSION: Final = 1 << 20
"""Entries along one axis of an input or output: far above any image or number of classes."""

EXTERNAL_KEYS: Final = frozenset({"location", "offset", "length"})


def screen(payload: bytes, *, name: str, external: Mapping[str, int]) -> ModelProto:
    """Return the parsed graph of a file that is safe to hand to the runtime.

    Args:
        payload: The file's bytes.
        name: What to call it in an error.
        external: Files it may refer to and their sizes in bytes, each a plain name in the graph's folder.

    Raises:
        VerificationError: It is no graph, or not one this package writes; the message says in what.
    """
    if len(payload) > MAX_BLOB_BYTES:
        raise _refused(name, f"it has {len(payload)} bytes, at most {MAX_BLOB_BYTES} are read")
    try:
        proto = onnx.load_model_from_string(payload)
    except DecodeError as cause:
        raise _refused(name, f"ONNX cannot load it: {cause}") from cause
    versions = [(item.domain, item.version) for item in proto.opset_import]
    if versions != [("", OPSET)] or proto.ir_version > IR_VERSION:
        raise _refused(name, f"it needs opsets {versions} and IR {proto.ir_version}, expected opset {OPSET} alone")
    graph = proto.graph
    if proto.functions or proto.training_info or graph.sparse_initializer or graph.quantization_annotation:
        raise _refused(name, "it has functions, training or sparse parts")
    for node in graph.node:
        _check_node(node, name=name)
    for tensor in graph.initializer:
        _check_tensor(tensor, name=name, external=external)
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and not 0 < dim.dim_value <= MAX_DIMENSION:
                raise _refused(name, f"{value.name} has a dimension of {dim.dim_value}")
    return proto


def _check_node(node: NodeProto, *, name: str) -> None:
    """Refuse an operator from elsewhere, and one that hides another graph."""
    if node.domain:
        raise _refused(name, f"operator {node.op_type} is of domain {node.domain!r}, not of the standard")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs or attribute.HasField("sparse_tensor"):
            raise _refused(name, f"operator {node.op_type} has a sub-graph")
        for tensor in (attribute.t, *attribute.tensors):
            _check_tensor(tensor, name=name, external={})


def _check_tensor(tensor: TensorProto, *, name: str, external: Mapping[str, int]) -> None:
    """Refuse a constant whose bytes are not those its shape asks for, or stand where they must not."""
    if any(dim < 0 for dim in tensor.dims):
        raise _refused(name, f"constant {tensor.name!r} has shape {list(tensor.dims)}")
    count = math.prod(tensor.dims)
    if tensor.data_location == TensorProto.EXTERNAL:
        _check_external(tensor, _bytes_of(tensor, count, name), name=name, external=external)
    elif tensor.external_data:
        raise _refused(name, f"constant {tensor.name!r} is both inside and outside")
    elif tensor.data_type != TensorProto.UNDEFINED and len(tensor.raw_data) != _bytes_of(tensor, count, name):
        raise _refused(name, f"constant {tensor.name!r} of shape {list(tensor.dims)} has {len(tensor.raw_data)} bytes")


def _check_external(tensor: TensorProto, expected: int, *, name: str, external: Mapping[str, int]) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if location not in external:
        raise _refused(name, f"constant {tensor.name!r} is in {location!r}, allowed are {sorted(external)}")
    offset, length = entries.get("offset", ""), entries.get("length", "")
    if entries.keys() != EXTERNAL_KEYS or not (_is_number(offset) and _is_number(length)) or tensor.raw_data:
        raise _refused(name, f"constant {tensor.name!r} does not say plainly where in {location} it is")
    if int(length) != expected or int(offset) + expected > external[location]:
        raise _refused(
            name,
            f"constant {tensor.name!r} of shape {list(tensor.dims)} asks for {length} bytes at {offset} of {location}, "
            f"which has {external[location]}",
        )


def _bytes_of(tensor: TensorProto, count: int, name: str) -> int:
    try:
        return count * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except (KeyError, ValueError) as cause:
        raise _refused(name, f"constant {tensor.name!r} has the unknown type {tensor.data_type}") from cause


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _refused(name: str, why: str) -> VerificationError:
    return VerificationError(f"{name} is refused: {why}", remedy="export the model again, or restore the file")
