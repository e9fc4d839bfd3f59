"""Exported files made to have the runtime read or allocate what it should not: refused before it sees them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import ModelProto, TensorProto

from export.bundle import Bundle
from export.layout import BACKBONE, WEIGHTS
from export.loading import load
from export.record import read_record, record_path
from export.screening import screen
from export.split import write_backbone
from export.tracing import trace
from shared.errors import VerificationError
from tests.export.samples import make_bundle, make_images


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bundle: Bundle = make_bundle()
    write_backbone(folder, bundle, images=make_images(count=2), images_source="held-out")
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in ("export.loading.open_session", "export.loading.open_proving", "export.runtime.load_runtime"):
        monkeypatch.setattr(name, lambda *_args, **_options: pytest.fail("the runtime was asked"))
    return tmp_path


def forge(folder: Path, change: Callable[[ModelProto], object]) -> Path:
    """Change the graph and make the certificate's digest fit, as an attacker would."""
    path = folder / BACKBONE
    proto = onnx.load_model_from_string(path.read_bytes())
    change(proto)
    payload = proto.SerializeToString()
    path.write_bytes(payload)
    record = msgspec.json.decode(record_path(path).read_bytes())
    record |= {"sha256": hashlib.sha256(payload).hexdigest(), "size_bytes": len(payload)}
    record_path(path).write_bytes(msgspec.json.encode(record))
    return path


def outside(proto: ModelProto) -> TensorProto:
    return next(t for t in proto.graph.initializer if t.data_location == TensorProto.EXTERNAL)


def inside(proto: ModelProto) -> TensorProto:
    return next(t for t in proto.graph.initializer if t.data_location != TensorProto.EXTERNAL)


def point_to(location: str) -> Callable[[ModelProto], object]:
    """Story: the weights are 'in' a file the device has anyway, whose bytes then show in the answers."""

    def change(proto: ModelProto) -> None:
        for entry in outside(proto).external_data:
            if entry.key == "location":
                entry.value = location

    return change


def say(key: str, value: str) -> Callable[[ModelProto], object]:
    def change(proto: ModelProto) -> None:
        for entry in outside(proto).external_data:
            if entry.key == key:
                entry.value = value

    return change


def huge(proto: ModelProto) -> None:
    """Story: a few bytes that ask for 2 to the 60th of memory."""
    del inside(proto).dims[:]
    inside(proto).dims.extend([1 << 30, 1 << 30])


def negative(proto: ModelProto) -> None:
    del inside(proto).dims[:]
    inside(proto).dims.extend([-1, -4])


def wide_input(proto: ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1 << 40


def foreign_operator(proto: ModelProto) -> None:
    """Story: an operator of another domain, whose library the runtime would look for."""
    proto.graph.node[0].domain = "com.example"


def another_opset(proto: ModelProto) -> None:
    proto.opset_import.add(domain="com.microsoft", version=1)


def hidden_graph(proto: ModelProto) -> None:
    """Story: an endless loop in a sub-graph."""
    proto.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.name = "body"


def function(proto: ModelProto) -> None:
    proto.functions.add(name="hidden", domain="somewhere")


def attribute_outside(proto: ModelProto) -> None:
    """Story: the path stands in an attribute, where a check of the constants does not look."""
    value = proto.graph.node[0].attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t
    value.data_type, value.data_location = TensorProto.FLOAT, TensorProto.EXTERNAL
    value.dims.extend([1])
    value.external_data.add(key="location", value="/etc/passwd")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (point_to("../secret"), "allowed are"),
        (point_to("/etc/passwd"), "allowed are"),
        (point_to("./backbone.weights"), "allowed are"),
        (point_to("sub/../../secret"), "allowed are"),
        (point_to(BACKBONE), "allowed are"),
        (say("offset", "999999999"), "asks for"),
        (say("offset", "-4096"), "does not say plainly"),
        (say("length", "16"), "asks for"),
        (say("length", "9" * 400), "does not say plainly"),
        (huge, "has .* bytes"),
        (negative, "has shape"),
        (wide_input, "dimension of"),
        (foreign_operator, "domain 'com.example'"),
        (another_opset, "opsets"),
        (hidden_graph, "sub-graph"),
        (function, "functions"),
        (attribute_outside, "allowed are"),
    ],
)
def test_a_graph_this_package_does_not_write_is_refused(
    folder: Path, change: Callable[[ModelProto], object], says: str
) -> None:
    path = forge(folder, change)
    with pytest.raises(VerificationError, match=says) as caught:
        load(path)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", [BACKBONE, WEIGHTS])
@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_truncated_file_is_refused(folder: Path, name: str, size: int) -> None:
    payload = (folder / name).read_bytes()
    (folder / name).write_bytes(payload[:size])
    with pytest.raises(VerificationError, match="was changed"):
        load(folder / BACKBONE)


@pytest.mark.parametrize("size", [0, 1, 500, 4000])
def test_a_truncated_graph_with_a_fitting_digest_is_refused(folder: Path, size: int) -> None:
    payload = (folder / BACKBONE).read_bytes()[:size]
    with pytest.raises(VerificationError, match="is refused"):
        screen(payload, name="it", external={WEIGHTS: 10**9})


@pytest.mark.parametrize("others", [[], ["/etc/passwd"], [WEIGHTS, "more"]])
def test_a_certificate_cannot_name_other_files(folder: Path, others: list[str]) -> None:
    path = folder / BACKBONE
    record = msgspec.json.decode(record_path(path).read_bytes())
    record["others"] = [{"name": name, "sha256": "0" * 64, "size_bytes": 1} for name in others]
    record_path(path).write_bytes(msgspec.json.encode(record))
    with pytest.raises(VerificationError, match=r"needs|no record"):
        load(path)


def test_what_was_not_tampered_with_is_accepted(folder: Path) -> None:
    loaded = load(folder / BACKBONE)
    assert loaded.others.keys() == {WEIGHTS}
    assert loaded.record == read_record(folder / BACKBONE)


def test_a_traced_graph_passes_whatever_the_backbone() -> None:
    proto = trace(make_bundle())
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), name=tensor.name))
    screen(proto.SerializeToString(), name="it", external={})
