"""A bundle holds a model whole, or is refused with one line that names what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load, save

from export.bundle import (
    Bundle,
    Provenance,
    decode_bundle,
    encode_bundle,
    head_digest,
    read_bundle,
    write_bundle,
)
from shared.errors import ArtifactError, ExportError
from shared.heads import Head
from shared.images import normalise
from shared.tensors import Tensors
from tests.export.samples import make_bundle, make_images, model_settings, random_head


def rewritten(payload: bytes, change: Callable[[Tensors], None], **header: object) -> bytes:
    """Return a bundle's bytes after a change to its tensors and header fields."""
    tensors = dict(load(payload))
    change(tensors)
    length = int.from_bytes(payload[:8], "little")
    old = msgspec.json.decode(msgspec.json.decode(payload[8 : 8 + length])["__metadata__"]["fedloge"])
    return bytes(save(tensors, metadata={"fedloge": msgspec.json.encode(old | header).decode()}))


def nothing(_tensors: Tensors) -> None:
    pass


def test_what_is_written_is_read_back(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "a.safetensors"
    write_bundle(path, bundle)
    again = read_bundle(path)
    assert (again.kind, again.rule, again.class_names) == (bundle.kind, bundle.rule, bundle.class_names)
    assert (again.model, again.provenance) == (bundle.model, bundle.provenance)
    assert again.backbone.keys() == bundle.backbone.keys()
    assert all(torch.equal(again.backbone[name], tensor) for name, tensor in bundle.backbone.items())
    assert head_digest(again.head) == head_digest(bundle.head)


def test_equal_bundles_give_equal_bytes(bundle: Bundle) -> None:
    shuffled = replace(bundle, backbone=dict(reversed(bundle.backbone.items())))
    assert encode_bundle(shuffled) == encode_bundle(bundle)


def test_the_module_is_what_training_computes(bundle: Bundle) -> None:
    images = make_images().images
    with torch.no_grad():
        features = bundle.features()(normalise(images, bundle.model.mean, bundle.model.std))
        expected = bundle.head.logits(features)
        assert torch.equal(bundle.module()(images.float() / 255.0), expected)


def test_the_digest_of_a_head_covers_weight_bias_and_mask() -> None:
    plain, bias, masked = random_head(4), random_head(4, bias=True), random_head(4, masked=True)
    nudged = replace(plain, weight=plain.weight + 1e-6)
    assert len({head_digest(head) for head in (plain, bias, masked, nudged)}) == 4


def drop_weight(tensors: Tensors) -> None:
    del tensors["head.weight"]


def add_unknown(tensors: Tensors) -> None:
    tensors["phi.weight"] = torch.zeros(1)


def wrong_width(tensors: Tensors) -> None:
    tensors["head.weight"] = tensors["head.weight"][:, :-1].clone()


def wrong_bias(tensors: Tensors) -> None:
    tensors["head.bias"] = torch.zeros(3)


def mask_everything(tensors: Tensors) -> None:
    tensors["head.keep"].zero_()


def not_finite(tensors: Tensors) -> None:
    tensors["head.weight"][0, 0] = torch.nan


def infinite_backbone(tensors: Tensors) -> None:
    tensors[next(name for name in tensors if name.startswith("backbone."))].view(-1)[0] = torch.inf


def half_precision(tensors: Tensors) -> None:
    tensors["head.weight"] = tensors["head.weight"].half()


def drop_backbone_tensor(tensors: Tensors) -> None:
    del tensors[next(name for name in tensors if name.startswith("backbone."))]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop_weight, "head.weight"),
        (add_unknown, "phi.weight"),
        (wrong_width, "head.weight is"),
        (wrong_bias, "head.bias is"),
        (mask_everything, "forbids every class"),
        (not_finite, "head.weight holds NaN"),
        (infinite_backbone, "backbone."),
        (half_precision, "float16"),
        (drop_backbone_tensor, "tensor names differ"),
    ],
)
def test_tensors_no_model_can_be_built_from_are_refused(
    bundle: Bundle, change: Callable[[Tensors], None], says: str
) -> None:
    with pytest.raises(ExportError, match=says):
        decode_bundle(rewritten(encode_bundle(bundle), change), origin="bad")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"kind": "secret"}, "kind"),
        ({"rule": "best"}, "rule"),
        ({"class_names": []}, "class_names"),
        ({"class_names": ["only", "two"]}, "head.weight"),
        ({"extra": 1}, "extra"),
        ({"kind": "generic"}, "only a personal one"),
        ({"model": {"backbone": "resnet9000", "image_size": 8, "channels": 1}}, "resnet9000"),
        ({"model": {"backbone": "resnet8", "image_size": 8, "channels": 1, "mean": [0.1, 0.2]}}, "one per channel"),
    ],
)
def test_headers_that_do_not_fit_are_refused(bundle: Bundle, header: dict[str, object], says: str) -> None:
    with pytest.raises(ExportError, match=says):
        decode_bundle(rewritten(encode_bundle(bundle), nothing, **header), origin="bad")


@pytest.mark.parametrize("payload", [b"", b"\x00" * 7, b"not a bundle at all", b"\xff" * 64, save({})])
def test_bytes_that_are_no_bundle_are_refused_with_one_line(payload: bytes) -> None:
    with pytest.raises(ExportError, match=r"^bad is no bundle: [^\n]*$"):
        decode_bundle(payload, origin="bad")


def test_a_truncated_bundle_is_refused(bundle: Bundle) -> None:
    payload = encode_bundle(bundle)
    for size in (9, len(payload) // 2, len(payload) - 1):
        with pytest.raises(ExportError, match="is no bundle"):
            decode_bundle(payload[:size], origin="bad")


def test_a_missing_bundle_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot read bundle"):
        read_bundle(tmp_path / "absent.safetensors")


def test_a_bundle_that_no_model_can_be_built_from_is_never_written(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(ExportError, match="NaN"):
        write_bundle(path, replace(bundle, head=Head(weight=torch.full_like(bundle.head.weight, torch.nan))))
    bad_digest = Provenance(federation="f", round=1, client="c", shared_digest="short", etf_digest="b2" * 32)
    with pytest.raises(ExportError, match="shared_digest"):
        write_bundle(path, replace(bundle, provenance=bad_digest))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_artifact_error(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError):
        write_bundle(tmp_path / "file" / "a.safetensors", bundle)


def test_a_generic_bundle_names_no_client() -> None:
    model = model_settings()
    generic = make_bundle(model, kind="generic", rule="psi")
    assert decode_bundle(encode_bundle(generic), origin="it").provenance.client is None
