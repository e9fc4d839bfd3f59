"""A file is called exported only after it was seen to compute the same; otherwise what stood there still stands."""

import errno
import hashlib
import os
from pathlib import Path

import msgspec
import onnx
import onnx.numpy_helper
import onnxruntime
import pytest
import torch

from export.bundle import Bundle, encode_bundle, head_digest
from export.options import OPSET
from export.publish import at_most, describe_images, export_model, random_images
from export.record import MAX_PARITY_IMAGES, read_record
from shared.errors import ArtifactError, ExportError
from tests.export.conftest import Exported
from tests.export.samples import ETF_DIGEST, SHARED_DIGEST, make_images, model_settings


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def with_weight(graph: bytes, *, row: int, column: int, add: float) -> bytes:
    """Return the graph with one weight of its head changed."""
    proto = onnx.load_model_from_string(graph)
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == "weight")
    weight = onnx.numpy_helper.to_array(tensor).copy()
    weight[row, column] += add
    tensor.CopyFrom(onnx.numpy_helper.from_array(weight, name="weight"))
    return bytes(proto.SerializeToString())


def test_the_record_tells_file_source_images_and_parity(exported: Exported, bundle: Bundle) -> None:
    record = read_record(exported.path)
    payload = exported.path.read_bytes()
    assert (record.sha256, record.size_bytes) == (hashlib.sha256(payload).hexdigest(), len(payload))
    assert (record.kind, record.rule, record.federation) == ("personal", "etf+prior", "orchard")
    assert (record.round, record.client, record.opset) == (12, "device-3", OPSET)
    assert record.source.bundle == exported.source.name
    assert record.source.bundle_sha256 == hashlib.sha256(exported.source.read_bytes()).hexdigest()
    assert (record.source.shared_digest, record.source.etf_digest) == (SHARED_DIGEST, ETF_DIGEST)
    assert record.source.head_digest == head_digest(bundle.head)
    assert (record.images.origin, record.images.count) == ("held-out", 24)
    assert record.parity.passed
    assert record.versions["onnxruntime"] == onnxruntime.__version__
    assert record.versions["torch"] == torch.__version__


def test_only_file_and_record_are_left(exported: Exported) -> None:
    assert sorted(contents(exported.path.parent)) == [
        "personal.bundle.safetensors",
        "personal.onnx",
        "personal.onnx.json",
    ]


def test_the_record_is_json_for_readers(exported: Exported) -> None:
    text = exported.record.read_text()
    assert msgspec.json.decode(text)["images"]["origin"] == "held-out"
    assert text.count("\n") > 20


@pytest.mark.usefixtures("traced_once")
def test_exporting_again_replaces_file_and_record_by_the_same(exported: Exported, bundle: Bundle) -> None:
    before = contents(exported.path.parent)
    export_model(bundle, images=make_images(), images_source="held-out", path=exported.path, source=exported.source)
    assert contents(exported.path.parent) == before


def test_a_head_that_changed_on_the_way_is_refused(
    exported: Exported, bundle: Bundle, graph: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(exported.path.parent)
    perturbed = with_weight(graph, row=3, column=5, add=0.01)
    monkeypatch.setattr("export.publish.to_onnx", lambda *_args, **_options: perturbed)
    with pytest.raises(ExportError, match=r"was not exported.*class 3"):
        export_model(bundle, images=make_images(), images_source="held-out", path=exported.path)
    assert contents(exported.path.parent) == before
    fresh = exported.path.parent / "fresh" / "personal.onnx"
    with pytest.raises(ExportError, match="was not exported"):
        export_model(bundle, images=make_images(), images_source="held-out", path=fresh)
    assert not fresh.parent.exists()


@pytest.mark.parametrize("full_at", [1, 2, 3], ids=["record", "its-folder", "file"])
def test_a_full_disk_leaves_the_old_pair(
    exported: Exported, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, full_at: int
) -> None:
    exported.path.write_bytes(b"an older model")
    before = contents(exported.path.parent)
    real, count = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(ArtifactError, match="No space left"):
        export_model(bundle, images=make_images(count=5), images_source="held-out", path=exported.path)
    assert contents(exported.path.parent) == before


def test_random_images_are_the_same_for_the_same_seed() -> None:
    model = model_settings(channels=3)
    one, same, other = (random_images(model, ("a", "b"), count=9, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    assert (one.images.shape, one.images.dtype) == ((9, 3, 8, 8), torch.uint8)


@pytest.mark.usefixtures("traced_once")
def test_the_record_names_the_seed_of_random_images(tmp_path: Path, bundle: Bundle) -> None:
    images = random_images(bundle.model, bundle.class_names, count=8, seed=6)
    record = export_model(bundle, images=images, images_source="seeded-random:6", path=tmp_path / "m.onnx")
    assert (record.images.origin, record.images.seed, record.images.count) == ("seeded-random", 6, 8)
    assert (record.images.spec, record.source.bundle) == (None, None)
    assert record.source.bundle_sha256 == hashlib.sha256(encode_bundle(bundle)).hexdigest()


def test_many_images_are_thinned_in_even_steps() -> None:
    images = make_images(count=1000)
    used = at_most(images, MAX_PARITY_IMAGES)
    assert len(used) == MAX_PARITY_IMAGES
    assert torch.equal(used.images[0], images.images[0])
    assert torch.equal(used.images[-1], images.images[255 * 1000 // 256])
    assert at_most(images, 1000) is images


@pytest.mark.parametrize("text", ["", "photos", "held_out", "seeded-random", "seeded-random:x", "seeded-random:-1"])
def test_an_unknown_origin_of_images_is_refused(text: str) -> None:
    with pytest.raises(ExportError, match="seeded-random:SEED"):
        describe_images(text, count=3)


def test_no_images_are_refused() -> None:
    with pytest.raises(ExportError, match="0 images"):
        describe_images("held-out", count=0)


def test_a_spec_with_a_colon_is_kept_whole() -> None:
    assert describe_images("held-out:folder:/data/x", count=1).spec == "folder:/data/x"
