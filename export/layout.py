"""Where the files of a split export stand: one folder per backbone, its heads below.

::

    DIR/
      backbone.onnx            images to features; the class names stand here, once
      backbone.onnx.json       its certificate
      backbone.weights         the backbone's constants: what backbone.onnx, and every complete graph, refers to
      heads/CLIENT.onnx        features to answers: the client's C x d numbers, and at most 4 KiB beside them
      heads/CLIENT.onnx.json   its certificate, measured behind the backbone
      CLIENT.onnx              on demand: backbone and head in one graph, which refers to backbone.weights
      CLIENT.onnx.json         its certificate

ONNX Runtime follows a graph to other files only within the graph's own folder, so whatever refers to the weights stands
beside them.
"""

from pathlib import Path
from typing import Final

from export.bundle import Bundle
from shared.errors import ExportError
from shared.topics import NAME_PATTERN

BACKBONE: Final = "backbone.onnx"
WEIGHTS: Final = "backbone.weights"
HEADS: Final = "heads"
GENERIC: Final = "generic"
"""Name of the generic model's head, which no client may have."""

RESERVED: Final = frozenset({GENERIC, "backbone", HEADS})


def head_path(folder: Path, owner: str) -> Path:
    """Return where a head stands; ``owner`` is a client's id, or ``GENERIC``."""
    return folder / HEADS / f"{owner}.onnx"


def complete_path(folder: Path, owner: str) -> Path:
    """Return where a complete graph stands."""
    return folder / f"{owner}.onnx"


def owner_of(bundle: Bundle) -> str:
    """Return whose head a bundle holds: the client's id, or ``GENERIC``.

    Raises:
        ExportError: The client's id is no file name, or one that this layout needs itself.
    """
    client = bundle.provenance.client
    if client is None:
        return GENERIC
    if not NAME_PATTERN.fullmatch(client) or client.lower() in RESERVED:
        raise ExportError(
            f"client {client!r} cannot name a head's file: {', '.join(sorted(RESERVED))} have another meaning",
            remedy="give the client another id",
        )
    return client
