"""Exported files in milliseconds: an image is one pixel that lights one channel, and a model says what that means."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from edge.device_data import DeviceData
from edge.versions import BUNDLE, ONNX
from export.options import OPSET, TOLERANCES, GraphOptions
from export.parity import ParityResult
from export.record import RECORD_VERSION, ExportRecord, Images, Source, encode_record, record_path
from export.tracing import IR_VERSION
from shared.images import LabelledImages

NAMES = ("a", "b", "c", "d")
DIGEST = "0" * 64


def pixels(kinds: Sequence[int], labels: Sequence[int] | None = None) -> LabelledImages:
    """One image per entry, each lighting the channel ``kind``, with that label or another one."""
    images = torch.zeros(len(kinds), len(NAMES), 1, 1, dtype=torch.uint8)
    images[torch.arange(len(kinds)), torch.tensor(kinds, dtype=torch.int64)] = 255
    return LabelledImages(
        images=images,
        labels=torch.tensor(list(kinds if labels is None else labels), dtype=torch.int64),
        class_names=NAMES,
    )


def long_tailed() -> DeviceData:
    """Twelve held-out images of "a", and two to four of the others; "d" is the tail."""
    train = pixels([0] * 80 + [1] * 10 + [2] * 7 + [3] * 3)
    return DeviceData(train=train, held_out=pixels([0] * 12 + [1] * 4 + [2] * 3 + [3] * 3))


@functools.cache
def onnx_bytes(answers: tuple[int, ...], *, salt: str, described: tuple[tuple[str, str], ...]) -> bytes:
    """A graph that answers ``answers[kind]``; another salt gives other bytes."""
    weight = np.zeros((len(NAMES), len(NAMES)), dtype=np.float32)
    weight[np.arange(len(NAMES)), list(answers)] = 5.0
    graph = helper.make_graph(
        nodes=[
            helper.make_node("Flatten", ["images"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["logits"]),
        ],
        name="fake",
        inputs=[helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", len(NAMES), 1, 1])],
        outputs=[helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(NAMES)])],
        initializer=[numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    named = {
        "class_names": '["a","b","c","d"]',
        "input": '{"layout":"NCHW","range":[0,1],"size":1,"channels":4}',
        "salt": salt,
    }
    for key, value in (named | dict(described)).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def write_fake(
    folder: Path, answers: tuple[int, ...], *, salt: str = "", round_number: int = 1, kind: str = "personal"
) -> ExportRecord:
    """Write such a model with its record; return the record."""
    own = "personal" if kind == "personal" else "generic"
    described = {
        "part": "single",
        "federation": "fake",
        "round": str(round_number),
        "client": "ana",
        "shared_digest": DIGEST,
        "backbone_digest": DIGEST,
        "options": msgspec.json.encode(GraphOptions()).decode(),
        "kind": own,
        "rule": "etf",
        "etf_digest": DIGEST,
        "head_digest": DIGEST,
    }
    payload = onnx_bytes(answers, salt=salt, described=tuple(described.items()))
    record = ExportRecord(
        schema_version=RECORD_VERSION,
        sha256=hashlib.sha256(payload).hexdigest(),
        size_bytes=len(payload),
        part="single",
        others=(),
        kind="personal" if own == "personal" else "generic",
        rule="etf",
        federation="fake",
        round=round_number,
        client="ana",
        source=Source(
            bundle=BUNDLE,
            bundle_sha256=DIGEST,
            shared_digest=DIGEST,
            etf_digest=DIGEST,
            head_digest=DIGEST,
            backbone_digest=DIGEST,
        ),
        options=GraphOptions(),
        images=Images(origin="held-out", count=1),
        parity=ParityResult(
            num_images=1,
            images="held-out",
            max_abs_error=1e-7,
            bound=1e-5,
            label_agreement=1.0,
            num_decided=1,
            provider="CPUExecutionProvider",
            worst_image=0,
            worst_class=0,
            passed=True,
        ),
        accuracy=None,
        tolerance=TOLERANCES["fp32"],
        class_groups=None,
        calibration=None,
        opset=OPSET,
        versions={},
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ONNX).write_bytes(payload)
    (folder / BUNDLE).write_bytes(b"source " + salt.encode())
    record_path(folder / ONNX).write_bytes(encode_record(record))
    return record
