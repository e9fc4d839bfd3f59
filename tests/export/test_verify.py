"""Verification says what it did, and refuses a file, a record or a source that is not the one that was exported."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest

from export.bundle import Bundle, write_bundle
from export.publish import export_model, random_images
from export.verify import verify
from shared.errors import ExportError, VerificationError
from shared.heads import Head
from tests.export.conftest import Exported
from tests.export.samples import make_images


def edit_record(exported: Exported, **changes: Any) -> None:
    """Change fields of the record; ``source__bundle`` stands for a field of a field."""
    record = msgspec.json.decode(exported.record.read_bytes())
    for key, value in changes.items():
        outer, _, inner = key.partition("__")
        if inner:
            record[outer][inner] = value
        else:
            record[outer] = value
    exported.record.write_bytes(msgspec.json.encode(record))


def forge(exported: Exported, payload: bytes) -> None:
    """Replace the file and make its record's digest fit."""
    exported.path.write_bytes(payload)
    edit_record(exported, sha256=hashlib.sha256(payload).hexdigest(), size_bytes=len(payload))


def test_all_three_checks_are_done_where_source_and_images_are_at_hand(exported: Exported) -> None:
    outcome = verify(exported.path, images=make_images(seed=9))
    assert outcome.checked == ("digest", "load", "parity")
    assert outcome.parity is not None
    assert outcome.parity.images == "held-out"
    assert "digest, load, parity" in outcome.summary()


def test_without_images_it_says_that_parity_was_not_recomputed(exported: Exported) -> None:
    outcome = verify(exported.path)
    assert outcome.checked == ("digest", "load")
    assert outcome.parity is None
    assert "no held-out images" in outcome.not_checked
    assert "not recomputed: no held-out images" in outcome.summary()


def test_without_its_source_it_says_that_parity_was_not_recomputed(exported: Exported) -> None:
    exported.source.unlink()
    outcome = verify(exported.path, images=make_images())
    assert outcome.checked == ("digest", "load")
    assert "source is not at hand" in outcome.not_checked


def test_a_source_elsewhere_can_be_named(exported: Exported, tmp_path: Path) -> None:
    elsewhere = exported.source.rename(tmp_path / "kept.safetensors")
    assert "parity" in verify(exported.path, images=make_images(), bundle=elsewhere).checked
    with pytest.raises(VerificationError, match="is missing"):
        verify(exported.path, bundle=tmp_path / "absent.safetensors")


def test_images_are_looked_for_only_once_the_source_is_known(exported: Exported) -> None:
    outcome = verify(exported.path, images=lambda bundle, _described: make_images(bundle.model))
    assert "parity" in outcome.checked
    exported.source.unlink()
    assert "parity" not in verify(exported.path, images=lambda *_: pytest.fail("asked without a source")).checked


@pytest.mark.usefixtures("traced_once")
def test_seeded_random_images_are_drawn_again(tmp_path: Path, bundle: Bundle) -> None:
    path, source = tmp_path / "m.onnx", tmp_path / "m.bundle.safetensors"
    write_bundle(source, bundle)
    images = random_images(bundle.model, bundle.class_names, count=8, seed=6)
    record = export_model(bundle, images=images, images_source="seeded-random:6", path=path, source=source)
    outcome = verify(path)
    assert outcome.checked == ("digest", "load", "parity")
    assert outcome.parity == record.parity


@pytest.mark.parametrize("place", [0, 100, -1, "middle"])
def test_a_changed_byte_is_found(exported: Exported, place: int | str) -> None:
    payload = bytearray(exported.path.read_bytes())
    payload[len(payload) // 2 if isinstance(place, str) else place] ^= 1
    exported.path.write_bytes(payload)
    with pytest.raises(VerificationError, match="was changed"):
        verify(exported.path)


def test_a_truncated_or_missing_file_is_found(exported: Exported) -> None:
    exported.path.write_bytes(exported.path.read_bytes()[:-5])
    with pytest.raises(VerificationError, match="was changed"):
        verify(exported.path)
    exported.path.unlink()
    with pytest.raises(VerificationError, match="cannot read"):
        verify(exported.path)


def test_a_missing_truncated_or_foreign_record_is_found(exported: Exported) -> None:
    whole = exported.record.read_bytes()
    for payload in (whole[: len(whole) // 2], b"", b"[]", b'{"sha256": 1}', whole + b" " * 100_000, b"[" * 60_000):
        exported.record.write_bytes(payload)
        with pytest.raises(VerificationError, match="record"):
            verify(exported.path)
    exported.record.unlink()
    with pytest.raises(VerificationError, match="no readable record"):
        verify(exported.path)


def test_the_record_of_another_file_is_found(exported: Exported) -> None:
    edit_record(exported, sha256="0" * 64)
    with pytest.raises(VerificationError, match="was changed"):
        verify(exported.path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rule": "psi"}, "rule"),
        ({"round": 13}, "round"),
        ({"client": "device-4"}, "client"),
        ({"federation": "other"}, "federation"),
        ({"source__etf_digest": "c3" * 32}, "etf_digest"),
        ({"schema_version": 3}, "schema version 3"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_record_that_describes_another_model_is_found(exported: Exported, changes: dict[str, Any], says: str) -> None:
    edit_record(exported, **changes)
    with pytest.raises(VerificationError, match=says):
        verify(exported.path)


@pytest.mark.parametrize("name", ["../secret", "/etc/hosts", "..", ".", "a/b", "a\\b", "C:x", "", "a\x00b"])
def test_a_record_cannot_point_out_of_its_folder(exported: Exported, name: str) -> None:
    edit_record(exported, source__bundle=name)
    with pytest.raises(VerificationError, match="no record of an export"):
        verify(exported.path)


def test_a_record_cannot_ask_for_endless_images(exported: Exported) -> None:
    edit_record(exported, images={"origin": "seeded-random", "count": 10**9, "seed": 0, "spec": None})
    with pytest.raises(VerificationError, match="no record of an export"):
        verify(exported.path)


def test_the_wrong_source_is_a_failure_and_not_a_skipped_check(exported: Exported, bundle: Bundle) -> None:
    write_bundle(exported.source, replace(bundle, head=Head(weight=bundle.head.weight * 2, bias=bundle.head.bias)))
    with pytest.raises(VerificationError, match="wrong source"):
        verify(exported.path, images=make_images())
    with pytest.raises(VerificationError, match="wrong source"):
        verify(exported.path)


def test_a_source_whose_digest_was_forged_too_fails_the_comparison(exported: Exported, bundle: Bundle) -> None:
    other = replace(bundle, head=replace(bundle.head, weight=bundle.head.weight * 2))
    edit_record(exported, source__bundle_sha256=write_bundle(exported.source, other))
    with pytest.raises(VerificationError, match="head_digest"):
        verify(exported.path, images=make_images())


def test_a_file_that_is_no_model_is_found_even_with_a_fitting_digest(exported: Exported) -> None:
    forge(exported, b"not a model")
    with pytest.raises(VerificationError, match="cannot load"):
        verify(exported.path)


def test_another_graph_with_our_metadata_fails_the_parity(exported: Exported) -> None:
    proto = onnx.load_model_from_string(exported.path.read_bytes())
    for tensor in proto.graph.initializer:
        if tensor.name == "weight":
            tensor.raw_data = bytes(len(tensor.raw_data))
    forge(exported, proto.SerializeToString())
    assert verify(exported.path).checked == ("digest", "load")
    with pytest.raises(VerificationError, match="no longer computes"):
        verify(exported.path, images=make_images())


def test_weights_outside_the_file_are_refused(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest covers one file; the runtime would follow it to another, in the folder it happens to run in."""
    monkeypatch.chdir(exported.path.parent)
    proto = onnx.load_model_from_string(exported.path.read_bytes())
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == "weight")
    (exported.path.parent / "outside.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="outside.bin")
    forge(exported, proto.SerializeToString())
    with pytest.raises(VerificationError, match=r"is in 'outside.bin', allowed are"):
        verify(exported.path)


def test_a_model_with_other_inputs_is_refused(exported: Exported) -> None:
    proto = onnx.load_model_from_string(exported.path.read_bytes())
    proto.graph.input[0].name = "pixels"
    for node in proto.graph.node:
        for index, name in enumerate(node.input):
            if name == "images":
                node.input[index] = "pixels"
    forge(exported, proto.SerializeToString())
    with pytest.raises(VerificationError, match="pixels"):
        verify(exported.path)


def test_a_missing_runtime_is_no_verdict_about_the_file(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.runtime._is_installed", lambda _name: True)
    with pytest.raises(ExportError, match="both installed") as caught:
        verify(exported.path)
    assert not isinstance(caught.value, VerificationError)
