"""The exported bytes: the right interface and metadata, nothing of this machine, the same bytes anywhere."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch

from export.bundle import Bundle, backbone_digest, head_digest, write_bundle
from export.graph import to_onnx
from export.options import OPSET
from export.runtime import open_session
from export.tracing import IR_VERSION, strip
from shared.errors import ExportError
from shared.heads import MASKED_LOGIT
from tests.export.samples import CLASS_NAMES, ETF_DIGEST, MASK, NUM_CLASSES, SHARED_DIGEST

ROOT = Path(__file__).resolve().parents[2]

EXPORT_HERE = """
import sys
from pathlib import Path
from export.bundle import read_bundle
from export.graph import to_onnx
Path("out.onnx").write_bytes(to_onnx(read_bundle(Path(sys.argv[1]))))
"""


def test_another_process_in_another_folder_gives_equal_bytes(tmp_path: Path, bundle: Bundle, graph: bytes) -> None:
    source, folder = tmp_path / "personal.bundle.safetensors", tmp_path / "working"
    write_bundle(source, bundle)
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", EXPORT_HERE, str(source)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"},
        stderr=subprocess.PIPE,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "out.onnx").read_bytes() == graph


def test_nothing_of_this_machine_stands_in_the_file(graph: bytes) -> None:
    packages = Path(torch.__file__).parent.parent
    places = [ROOT, Path.home(), Path.cwd(), Path(sys.prefix), packages]
    traces = [str(place) for place in places if len(str(place)) > 1]
    traces += ['File "', ".py", "site-packages", "aten.", "pkg.torch", socket.gethostname(), torch.__version__]
    found = [text for text in traces if text.encode() in graph]
    assert found == []


def test_no_part_of_the_graph_carries_notes(graph: bytes) -> None:
    proto = onnx.load_model_from_string(graph)
    for part in (*proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        assert not part.doc_string
        assert len(part.metadata_props) == 0
    assert not proto.doc_string
    assert not proto.graph.doc_string
    assert (proto.producer_name, proto.producer_version) == ("fedloge", "")
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", OPSET)]
    assert proto.ir_version == IR_VERSION
    assert len(proto.graph.value_info) == len(proto.functions) == 0


def test_weights_are_inside_and_the_mask_leaves_them_alone(graph: bytes, bundle: Bundle) -> None:
    proto = onnx.load_model_from_string(graph)
    assert not any(tensor.data_location for tensor in proto.graph.initializer)
    weight = bundle.head.weight.numpy()
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer]
    assert any(array.shape == weight.shape and np.array_equal(array, weight) for array in arrays)
    assert [node.op_type for node in proto.graph.node].count("Where") == 1


def test_what_the_mask_writes_is_finite_in_half_precision(graph: bytes) -> None:
    session = open_session(graph, device="cpu")
    logits = session.run(None, {"images": np.ones((2, 1, 8, 8), np.float32)})[0]
    assert (logits[:, ~MASK.numpy()] == MASKED_LOGIT).all()
    assert np.isfinite(logits.astype(np.float16)).all()


@pytest.mark.parametrize("batch", [1, 7])
def test_the_batch_is_dynamic(graph: bytes, batch: int) -> None:
    session = open_session(graph, device="cpu")
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("images", "tensor(float)", ["batch", 1, 8, 8])
    assert (logits.name, logits.shape) == ("logits", ["batch", NUM_CLASSES])
    assert session.run(None, {"images": np.zeros((batch, 1, 8, 8), np.float32)})[0].shape == (batch, NUM_CLASSES)


def test_the_file_says_what_it_is_and_where_it_came_from(graph: bytes, bundle: Bundle) -> None:
    said = open_session(graph, device="cpu").get_modelmeta().custom_metadata_map
    assert json.loads(said.pop("class_names")) == list(CLASS_NAMES)
    assert json.loads(said.pop("input")) == {"layout": "NCHW", "range": [0, 1], "size": 8, "channels": 1}
    assert said == {
        "format": "2",
        "part": "single",
        "options": '{"precision":"fp32","input":"unit-nchw","output":"logits","top_k":null,"batch":null}',
        "backbone_digest": backbone_digest(bundle),
        "kind": "personal",
        "rule": "etf+prior",
        "federation": "orchard",
        "round": "12",
        "client": "device-3",
        "shared_digest": SHARED_DIGEST,
        "etf_digest": ETF_DIGEST,
        "head_digest": head_digest(bundle.head),
    }


class Untraceable(torch.nn.Module):
    feature_dim = 64

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.sum() > 0:  # a branch on data, which no static graph has
            return images.flatten(1)
        return -images.flatten(1)


def test_a_backbone_onnx_cannot_express_is_one_error_and_no_noise(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("export.bundle.loaded_backbone", lambda *_args, **_kwargs: Untraceable())
    with pytest.raises(ExportError, match="cannot be expressed in ONNX"):
        to_onnx(replace(bundle, backbone={}))
    assert capfd.readouterr() == ("", "")


def test_a_graph_with_functions_is_refused_rather_than_half_stripped(graph: bytes) -> None:
    proto = onnx.load_model_from_string(graph)
    proto.functions.add(name="hidden", domain="somewhere")
    with pytest.raises(ExportError, match="functions"):
        strip(proto)
