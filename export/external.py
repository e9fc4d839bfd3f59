"""Constants out of a graph and into one file beside it, which any number of graphs may share."""

from typing import Final

from onnx import ModelProto, TensorProto

PAGE: Final = 4096
"""Offsets are multiples of a page, so that the runtime can map the file instead of copying it."""

SMALLEST: Final = 1024
"""Bytes from which a constant moves out: shapes and scales stay inside, where the runtime folds them."""


def move_out(proto: ModelProto, location: str) -> bytes:
    """Move the large constants of a graph out of it and return the bytes of the file they are then in.

    Args:
        proto: Changed in place: each large constant refers to ``location``.
        location: The file's name, in the graph's folder.
    """
    content = bytearray()
    for tensor in proto.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL and len(tensor.raw_data) >= SMALLEST:
            content += bytes(-len(content) % PAGE)
            where = {"location": location, "offset": str(len(content)), "length": str(len(tensor.raw_data))}
            content += tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in where.items():
                tensor.external_data.add(key=key, value=value)
    return bytes(content)
