"""Exported files as a model repository of NVIDIA Triton Inference Server.

::

    DIR/NAME/config.pbtxt             inputs, outputs, batching
    DIR/NAME/labels.txt               class names in label order, for Triton's classification of outputs
    DIR/NAME/1/model.onnx             a single file; or, where the weights are a file of their own,
    DIR/NAME/1/model.onnx/            the same as a folder, with model.onnx and backbone.weights in it

The heads of a split export become models of three kinds: ``~backbone`` once, ``CLIENT~head``, and ``CLIENT``, an
ensemble of the two that takes images and answers; no client's name has a ``~``. Files are checked against their
certificates before they are copied.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto

from export.answering import FEATURES
from export.layout import BACKBONE, GENERIC
from export.loading import Loaded, described, load
from shared.blobs import write_durably
from shared.errors import ExportError

MODEL: Final = "model.onnx"
LABELS: Final = "labels.txt"
MAX_BATCH: Final = 64
"""Images Triton may gather into one call, where the file takes any number: the largest batch of ``export bench``."""

SHARED: Final = "~backbone"

TYPES: Final[dict[int, str]] = {
    TensorProto.FLOAT: "TYPE_FP32",
    TensorProto.UINT8: "TYPE_UINT8",
    TensorProto.INT64: "TYPE_INT64",
}
"""Triton's names of the types our inputs and outputs have."""


def write_repository(folder: Path, files: Sequence[Path]) -> list[str]:
    """Write exported files as Triton models and return the names of the models to call.

    Args:
        folder: The repository; what stands there under other names stays.
        files: Exported files, each with its certificate: single, complete, or heads of a split export.

    Raises:
        VerificationError: A file is not what its certificate says.
        ExportError: Two files would get one name, or a file is a backbone alone.
        ArtifactError: A file cannot be written.
    """
    loaded = [load(path) for path in files]
    names = [owner(one) for one in loaded]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ExportError(
            f"more than one file is {min(twice)}'s: a repository has one model of a name",
            remedy="write them into separate repositories",
        )
    for one, name in zip(loaded, names, strict=True):
        _write(folder, name, one)
    return names


def owner(loaded: Loaded) -> str:
    """Return the name of a file's model in the repository: its client's id, or ``GENERIC``.

    Raises:
        ExportError: The file is a backbone alone.
    """
    if loaded.record.part == "backbone":
        raise ExportError(
            f"{loaded.path} is a backbone alone and answers nothing",
            remedy="name the heads; their backbone comes along",
        )
    return loaded.record.client or GENERIC


def _write(folder: Path, name: str, loaded: Loaded) -> None:
    graph = onnx.load_model_from_string(loaded.payload)
    if loaded.record.part != "head":
        _write_model(folder / name, graph, loaded.payload, loaded.others, class_names(graph))
        return
    backbone = onnx.load_model_from_string(loaded.others[BACKBONE])
    weights = {file: payload for file, payload in loaded.others.items() if file != BACKBONE}
    _write_model(folder / SHARED, backbone, loaded.others[BACKBONE], weights, ())
    _write_model(folder / f"{name}~head", graph, loaded.payload, {}, ())
    labels = class_names(backbone)
    inputs, outputs = list(backbone.graph.input), list(graph.graph.output)
    steps = [
        _step(SHARED, [value.name for value in inputs], [FEATURES]),
        _step(f"{name}~head", [FEATURES], [value.name for value in outputs]),
    ]
    text = _config(name, inputs, outputs, labels, ensemble=f"ensemble_scheduling {{\n  step {_listed(steps)}\n}}\n")
    _write_texts(folder / name, text, labels)
    (folder / name / "1").mkdir(parents=True, exist_ok=True)  # Triton wants a version folder, empty for an ensemble


def _write_model(
    folder: Path, graph: ModelProto, payload: bytes, others: Mapping[str, bytes], labels: tuple[str, ...]
) -> None:
    text = _config(folder.name, list(graph.graph.input), list(graph.graph.output), labels)
    place = folder / "1" / MODEL
    for file, content in others.items():
        write_durably(place / file, content)
    write_durably(place / MODEL if others else place, payload)
    _write_texts(folder, text, labels)


def _write_texts(folder: Path, config: str, labels: tuple[str, ...]) -> None:
    if labels:
        write_durably(folder / LABELS, "".join(f"{label}\n" for label in labels).encode())
    write_durably(folder / "config.pbtxt", config.encode())


def class_names(graph: ModelProto) -> tuple[str, ...]:
    """Return a graph's class names in label order; none in a head, whose backbone has them."""
    names: tuple[str, ...] = msgspec.json.decode(described(graph).get("class_names", "[]"), type=tuple[str, ...])
    return names


def _config(
    name: str,
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    labels: tuple[str, ...],
    *,
    ensemble: str = "",
) -> str:
    """Return a model's ``config.pbtxt``: protobuf text of Triton's ModelConfig.

    A file for any number of images is batched by Triton, which then leaves the first dimension out; one for a fixed
    number has all its dimensions and no batching.
    """
    any_number = not inputs[0].type.tensor_type.shape.dim[0].HasField("dim_value")
    kind = 'platform: "ensemble"' if ensemble else 'backend: "onnxruntime"'
    lines = [f'name: "{name}"', kind, f"max_batch_size: {MAX_BATCH if any_number else 0}"]
    lines.append(f"input {_listed([_tensor(value, any_number, ()) for value in inputs])}")
    lines.append(f"output {_listed([_tensor(value, any_number, labels) for value in outputs])}")
    if any_number and not ensemble:
        lines.append("dynamic_batching { }")
    return "\n".join(lines) + "\n" + ensemble


def _tensor(value: ValueInfoProto, batched: bool, labels: tuple[str, ...]) -> str:
    tensor = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim][1 if batched else 0 :]
    named = f' label_filename: "{LABELS}"' if labels and dims[-1] == len(labels) else ""
    return f'  {{ name: "{value.name}" data_type: {TYPES[tensor.elem_type]} dims: {dims}{named} }}'


def _listed(entries: Sequence[str]) -> str:
    return "[\n" + ",\n".join(entries) + "\n]"


def _step(model: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    maps = [f'input_map {{ key: "{name}" value: "{name}" }}' for name in inputs]
    maps += [f'output_map {{ key: "{name}" value: "{name}" }}' for name in outputs]
    return f'    {{ model_name: "{model}" model_version: -1 {" ".join(maps)} }}'
