"""A Triton repository holds the verified files, in the forms Triton reads, with inputs and outputs as they are."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from export.bundle import Bundle
from export.layout import BACKBONE, WEIGHTS, complete_path, head_path
from export.options import GraphOptions
from export.publish import export_model
from export.runtime import open_session
from export.split import write_backbone, write_complete, write_heads
from export.triton import write_repository
from shared.errors import ExportError, VerificationError
from tests.export.conftest import Exported
from tests.export.samples import CLASS_NAMES, NUM_CLASSES, make_images, random_head

IMAGES = np.full((3, 1, 8, 8), 0.25, np.float32)


def config(folder: Path, name: str) -> str:
    return (folder / name / "config.pbtxt").read_text()


def balanced(text: str) -> bool:
    return all(text.count(left) == text.count(right) for left, right in ("{}", "[]")) and text.count('"') % 2 == 0


def test_a_single_file_is_one_model(exported: Exported, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    assert write_repository(folder, [exported.path]) == ["device-3"]
    assert (folder / "device-3" / "1" / "model.onnx").read_bytes() == exported.path.read_bytes()
    assert (folder / "device-3" / "labels.txt").read_text().splitlines() == list(CLASS_NAMES)
    text = config(folder, "device-3")
    assert balanced(text)
    for part in (
        'name: "device-3"',
        'backend: "onnxruntime"',
        "max_batch_size: 64",
        '{ name: "images" data_type: TYPE_FP32 dims: [1, 8, 8] }',
        f'{{ name: "logits" data_type: TYPE_FP32 dims: [{NUM_CLASSES}] label_filename: "labels.txt" }}',
    ):
        assert part in text


@pytest.mark.usefixtures("quick_trace")
def test_weights_beside_the_graph_take_the_form_of_a_folder_and_heads_that_of_an_ensemble(
    tmp_path: Path, bundle: Bundle
) -> None:
    models, folder = tmp_path / "models", tmp_path / "repository"
    other = replace(
        bundle, head=random_head(64), provenance=msgspec.structs.replace(bundle.provenance, client="device-4")
    )
    write_backbone(models, bundle, images=make_images(), images_source="held-out")
    write_heads(models, [bundle, other], images=make_images(), images_source="held-out")
    write_complete(models, replace(other), images=make_images(), images_source="held-out")
    names = write_repository(folder, [head_path(models, "device-3"), complete_path(models, "device-4")])
    assert names == ["device-3", "device-4"]
    assert {path.name for path in folder.iterdir()} == {"device-3", "device-3~head", "device-4", "~backbone"}
    whole = folder / "device-4" / "1" / "model.onnx"
    assert {path.name for path in whole.iterdir()} == {"model.onnx", WEIGHTS}
    expected = open_session(complete_path(models, "device-4"), device="cpu").run(None, {"images": IMAGES})[0]
    assert np.array_equal(open_session(whole / "model.onnx", device="cpu").run(None, {"images": IMAGES})[0], expected)
    text = config(folder, "device-3")
    assert balanced(text)
    assert 'platform: "ensemble"' in text
    assert re.findall(r'model_name: "([^"]+)"', text) == ["~backbone", "device-3~head"]
    backbone = open_session(folder / "~backbone" / "1" / "model.onnx" / "model.onnx", device="cpu")
    head = open_session(folder / "device-3~head" / "1" / "model.onnx", device="cpu")
    assert head.run(None, {"features": backbone.run(None, {"images": IMAGES})[0]})[0].shape == (3, NUM_CLASSES)
    assert (folder / "device-3" / "1").is_dir()
    with pytest.raises(ExportError, match="answers nothing"):
        write_repository(folder, [models / BACKBONE])
    with pytest.raises(ExportError, match="more than one file is device-3's"):
        write_repository(folder, [head_path(models, "device-3")] * 2)


@pytest.mark.usefixtures("quick_trace")
def test_raw_images_of_any_size_a_fixed_batch_and_top_k_are_described_as_they_are(
    tmp_path: Path, bundle: Bundle
) -> None:
    options = GraphOptions(input="uint8-nhwc", top_k=2, batch=5)
    path = tmp_path / "model.onnx"
    export_model(bundle, images=make_images(), images_source="held-out", path=path, options=options)
    write_repository(tmp_path / "repository", [path])
    text = config(tmp_path / "repository", "device-3")
    assert "max_batch_size: 0" in text
    assert "dynamic_batching" not in text
    assert 'name: "images" data_type: TYPE_UINT8 dims: [5, -1, -1, 1]' in text
    assert 'name: "classes" data_type: TYPE_INT64 dims: [5, 2]' in text


def test_a_file_that_was_changed_is_not_passed_on(exported: Exported, tmp_path: Path) -> None:
    exported.path.write_bytes(exported.path.read_bytes()[:-1])
    with pytest.raises(VerificationError):
        write_repository(tmp_path / "repository", [exported.path])
    assert not (tmp_path / "repository").exists()
