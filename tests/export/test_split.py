"""One backbone, many heads: each head is a small file of its own, and behind the backbone it is the whole model."""

from dataclasses import replace
from pathlib import Path

import msgspec
import onnx
import pytest
import torch

from export.bundle import Bundle, write_bundle
from export.graph import to_onnx
from export.layout import BACKBONE, WEIGHTS, complete_path, head_path
from export.loading import load
from export.options import GraphOptions
from export.parity import torch_logits
from export.record import read_record
from export.runtime import open_session
from export.split import write_backbone, write_complete, write_heads
from export.verify import verify
from export.views import scale
from shared.errors import ExportError, VerificationError
from tests.export.samples import NUM_CLASSES, make_images, random_head

CLIENTS = ("device-1", "device-2", "device-3")
DIM = 64


def of(bundle: Bundle, client: str, **changes: object) -> Bundle:
    seed = len(client) + sum(client.encode())
    head = random_head(DIM, bias=True, masked=client.endswith("2"), seed=seed)
    made = replace(bundle, head=head, provenance=msgspec.structs.replace(bundle.provenance, client=client))
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, bundle: Bundle, quick_trace: None) -> Path:
    del quick_trace
    place = tmp_path / "models"
    write_backbone(place, bundle, images=make_images(), images_source="held-out")
    write_heads(place, [of(bundle, client) for client in CLIENTS], images=make_images(), images_source="held-out")
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_as_documented_and_class_names_stand_once(folder: Path) -> None:
    names = {BACKBONE, f"{BACKBONE}.json", WEIGHTS}
    names |= {f"heads/{client}.onnx{end}" for client in CLIENTS for end in ("", ".json")}
    found = contents(folder)
    assert found.keys() == names
    assert [name for name, payload in found.items() if b"class a" in payload] == [BACKBONE]
    for client in CLIENTS:
        assert len(found[f"heads/{client}.onnx"]) <= 4 * NUM_CLASSES * DIM + 4096
    assert len(found[BACKBONE]) < 16 * 1024


@pytest.mark.parametrize("client", CLIENTS)
def test_a_head_behind_the_backbone_is_the_whole_model(folder: Path, bundle: Bundle, client: str) -> None:
    own, images = of(bundle, client), make_images(seed=8)
    write_complete(folder, own, images=images, images_source="held-out")
    feeds = {"images": scale(images.images).numpy()}
    chained = load(head_path(folder, client)).session().run(["logits"], feeds)[0]
    complete = open_session(complete_path(folder, client), device="cpu").run(["logits"], feeds)[0]
    single = open_session(to_onnx(own), device="cpu").run(["logits"], feeds)[0]
    expected = torch_logits(own, images.images)
    for found in (chained, complete, single):
        assert float((torch.from_numpy(found) - expected).abs().max()) <= 1e-5 * float(
            expected.abs()[expected > -1e3].max()
        )
    assert complete_path(folder, client).stat().st_size < 24 * 1024  # refers to the weights, does not hold them


def test_certificates_name_all_that_a_file_needs_and_verify_recomputes_each(
    folder: Path, bundle: Bundle, tmp_path: Path
) -> None:
    own = of(bundle, "device-2")
    write_complete(folder, own, images=make_images(), images_source="held-out")
    write_bundle(tmp_path / "own", own)
    write_bundle(tmp_path / "shared", bundle)
    parts = {BACKBONE: "shared", "heads/device-2.onnx": "own", "device-2.onnx": "own"}
    for name, source in parts.items():
        outcome = verify(folder / name, images=make_images(seed=7), bundle=tmp_path / source)
        assert outcome.checked == ("digest", "load", "parity")
    head = read_record(head_path(folder, "device-2"))
    assert ([other.name for other in head.others], head.part) == ([BACKBONE, WEIGHTS], "head")
    assert read_record(folder / BACKBONE).kind is None
    with pytest.raises(VerificationError, match=r"head_digest|device"):
        verify(head_path(folder, "device-1"), images=make_images(), bundle=tmp_path / "own")


@pytest.mark.parametrize("name", [BACKBONE, WEIGHTS, "heads/device-1.onnx"])
def test_a_changed_byte_in_any_of_the_files_fails_the_head(folder: Path, name: str) -> None:
    payload = bytearray((folder / name).read_bytes())
    payload[len(payload) // 2] ^= 1
    (folder / name).write_bytes(payload)
    with pytest.raises(VerificationError, match="was changed"):
        verify(head_path(folder, "device-1"))


def test_a_new_head_is_the_head_alone(folder: Path, bundle: Bundle) -> None:
    before = contents(folder)
    newer = of(bundle, "device-2", head=random_head(DIM, seed=77))
    write_heads(folder, [newer], images=make_images(), images_source="held-out")
    after = contents(folder)
    assert {name for name in after if after[name] != before.get(name)} == {
        "heads/device-2.onnx",
        "heads/device-2.onnx.json",
    }


def test_a_backbone_of_its_own_is_refused_and_nothing_changes(folder: Path, bundle: Bundle) -> None:
    before = contents(folder)
    name = next(iter(bundle.backbone))
    other = of(bundle, "device-9", backbone=bundle.backbone | {name: bundle.backbone[name] + 1e-3})
    for write in (
        lambda: write_heads(folder, [other], images=make_images(), images_source="held-out"),
        lambda: write_complete(folder, other, images=make_images(), images_source="held-out"),
    ):
        with pytest.raises(ExportError, match="backbone of its own") as caught:
            write()
        assert "folder of its own" in caught.value.remedy
    assert contents(folder) == before


@pytest.mark.parametrize("client", ["generic", "Backbone", "heads", "../out", "a/b", "", "x" * 65])
def test_a_client_whose_name_is_no_name_of_a_head_is_refused(folder: Path, bundle: Bundle, client: str) -> None:
    before = contents(folder)
    with pytest.raises(ExportError, match="cannot name a head's file"):
        write_heads(folder, [of(bundle, client)], images=make_images(), images_source="held-out")
    assert contents(folder) == before


def test_a_head_that_computes_something_else_is_not_written(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.graph import head_to_onnx

    before, wrong = contents(folder), of(bundle, "device-1", head=random_head(DIM, seed=5))
    monkeypatch.setattr(
        "export.split.head_to_onnx",
        lambda bundle, options, **known: head_to_onnx(replace(bundle, head=wrong.head), options, **known),
    )
    with pytest.raises(ExportError, match="was not exported"):
        write_heads(folder, [of(bundle, "device-1")], images=make_images(), images_source="held-out")
    assert contents(folder) == before


@pytest.mark.usefixtures("quick_trace")
def test_options_are_those_of_the_backbone(tmp_path: Path, bundle: Bundle) -> None:
    options = GraphOptions(precision="int8", input="uint8-nhwc", output="probabilities", top_k=2, batch=6)
    training = make_images(seed=12)
    write_backbone(
        tmp_path, bundle, images=make_images(), images_source="held-out", options=options, calibration=training
    )
    own = of(bundle, "device-1")
    (record,) = write_heads(tmp_path, [own], images=make_images(count=60), images_source="held-out")
    assert record.options == options
    assert record.accuracy is not None
    session = load(head_path(tmp_path, "device-1")).session()
    assert session.backbone.get_inputs()[0].shape == [6, "height", "width", 1]
    assert [value.name for value in session.head.get_outputs()] == ["scores", "classes", "logits"]
    types = {t.data_type for t in onnx.load(head_path(tmp_path, "device-1")).graph.initializer}
    assert onnx.TensorProto.INT8 not in types  # the head stays as it is
