"""A head without a round: the same backbone, this device's images, the same gate."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.device_data import DeviceData
from edge.personalize import settings_of, trained_head
from edge.serving import Predictor
from edge.versions import BUNDLE, ONNX
from export.bundle import Bundle, Provenance, head_digest, read_bundle, write_bundle
from shared.data import read
from shared.errors import GateRefusedError, RoundError
from shared.features import extract_features
from shared.heads import Head
from shared.images import LabelledImages
from shared.model import initial_model
from shared.settings import ModelSettings
from tests.command_line.conftest import Fedloge, fedloge  # noqa: F401 - a fixture
from tests.federation import tiny_settings
from tests.tiny_clients import CLASS_NAMES, IMAGE_SIZE, client_data

DIGEST = "0" * 64
CLIENT = client_data("ana", (30, 0, 20, 12, 0, 10, 0, 6, 3, 3), held_out=(9, 0, 6, 4, 0, 3, 0, 2, 2, 2))
DATA = DeviceData(train=CLIENT.train, held_out=CLIENT.test)


def generic() -> Bundle:
    """A backbone nobody trained, and a head that knows nothing of this device."""
    model = ModelSettings(backbone="resnet8", image_size=IMAGE_SIZE, channels=1)
    shared = initial_model(tiny_settings().shared())
    feature_dim = shared.psi.weight.shape[1] if shared.psi is not None else 0
    weight = torch.randn(10, feature_dim, generator=torch.Generator().manual_seed(1)) / 8
    return Bundle(
        kind="generic",
        rule="etf",
        class_names=CLASS_NAMES,
        model=model,
        provenance=Provenance(federation="tiny", round=3, client=None, shared_digest=DIGEST, etf_digest=DIGEST),
        backbone=shared.backbone,
        head=Head(weight=weight),
    )


def accuracy(bundle: Bundle, head: Head, images: LabelledImages) -> float:
    features = extract_features(bundle.features(), images.images, bundle.model, device=torch.device("cpu"))
    return float((head.logits(features).argmax(1) == images.labels).double().mean())


def trained(data: DeviceData, epochs: int = 20) -> Head:
    source = generic()
    return trained_head(source, data, settings_of(source), epochs=epochs, client="ana", device="cpu")


def test_the_head_learns_this_devices_images_and_nothing_else_changes() -> None:
    source = generic()
    before = head_digest(source.head), {name: tensor.clone() for name, tensor in source.backbone.items()}
    head = trained_head(source, DATA, settings_of(source), epochs=200, client="ana", device="cpu")
    assert accuracy(source, head, DATA.held_out) > accuracy(source, source.head, DATA.held_out) + 0.2
    assert head_digest(source.head) == before[0]
    assert all(torch.equal(source.backbone[name], tensor) for name, tensor in before[1].items())
    assert head.bias is not None


def test_the_same_images_give_the_same_head_and_a_mask_stays() -> None:
    assert head_digest(trained(DATA, epochs=2)) == head_digest(trained(DATA, epochs=2))
    source = generic()
    keep = torch.arange(10) != 4
    masked = dataclasses.replace(source, head=Head(weight=source.head.weight, keep=keep))
    head = trained_head(masked, DATA, settings_of(masked), epochs=2, client="ana", device="cpu")
    assert head.keep is not None
    assert torch.equal(head.keep, keep)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The client's images as a folder with a test part."""
    from cloud.demo.client_folders import write_client_folders

    return write_client_folders([CLIENT], tmp_path / "images")["ana"]


def test_a_device_without_a_history_gets_the_generic_model_then_its_own_and_a_way_back(
    tmp_path: Path,
    images: Path,
    fedloge: Fedloge,  # noqa: F811
) -> None:
    """The commands, end to end."""
    write_bundle(tmp_path / "generic.safetensors", generic())
    state, data = tmp_path / "agent", f"folder:{images}"
    fedloge("edge", "personalize", "--state", state, "--data", data).refused(7, "--generic")
    made = fedloge(
        *("edge", "personalize", "--state", state, "--data", data, "--client", "ana", "--epochs", "200"),
        *("--generic", tmp_path / "generic.safetensors", "--device", "cpu", "--json"),
    )
    assert made.code == 0, made.err
    found = made.envelope["data"]
    assert (found["client"], found["before"]["kind"], found["current"]["kind"]) == ("ana", "generic", "personal")
    assert found["current"]["accuracy"] > found["before"]["accuracy"]
    assert read_bundle(state / BUNDLE).provenance.client == "ana"
    assert fedloge("export", "verify", state / ONNX).code == 0

    listed = fedloge("edge", "models", "--state", state, "--json").envelope["data"]
    assert (listed["current"], listed["kept"]) == (2, [1, 2])
    assert [row["state"] for row in listed["decisions"]] == ["done", "done"]

    photos = sorted((images / "test").rglob("*.png"))[:5]
    said = fedloge("edge", "predict", *photos, "--state", state, "--topk", "3", "--json")
    assert said.err == ""
    answers = said.envelope["data"]
    assert answers["digest"] == found["current"]["digest"]
    assert [row["image"] for row in answers["predictions"]] == [str(photo) for photo in photos]
    shown = read(f"folder:{images}", image_size=IMAGE_SIZE, channels=1, class_names=CLASS_NAMES).test
    assert shown is not None
    direct = Predictor(state).predict(shown.images.numpy(), top_k=3)
    for row, index in zip(answers["predictions"], range(5), strict=True):
        assert [part["name"] for part in row["classes"]] == [name for name, _ in direct.named(index)]
        np.testing.assert_allclose(sum(part["score"] for part in row["classes"]), direct.scores[index].sum(), rtol=1e-6)

    back = fedloge("edge", "rollback", "--state", state, "--json").envelope["data"]
    assert (back["current"]["version"], back["current"]["kind"]) == (1, "generic")
    after = json.loads(fedloge("edge", "predict", photos[0], "--state", state, "--json").out)["data"]
    assert after["digest"] == found["before"]["digest"]
    fedloge("edge", "rollback", "--state", state).refused(7, "--to: 2")
    plain = fedloge("edge", "predict", photos[0], "--state", state)
    assert plain.out.startswith(f"{photos[0]}: class-")
    assert plain.out.strip().endswith("%")


def test_a_head_trained_on_shuffled_labels_does_not_pass(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: trained, exported, certified, and refused by the gate; what served goes on serving."""
    from edge.personalize import PersonalizeSettings, personalize

    write_bundle(tmp_path / "generic.safetensors", generic())
    asked = PersonalizeSettings(
        state=tmp_path / "agent",
        data_spec=f"folder:{images}",
        generic=tmp_path / "generic.safetensors",
        client="ana",
        epochs=200,
        device="cpu",
    )
    honest = personalize(asked).after
    before = (asked.state / ONNX).read_bytes()
    load = "edge.personalize.load_device_data"

    def shuffled(*_: object) -> DeviceData:
        order = torch.randperm(len(DATA.train), generator=torch.Generator().manual_seed(1))
        train = dataclasses.replace(DATA.train, labels=DATA.train.labels[order])
        return DeviceData(train=train, held_out=DATA.held_out)

    monkeypatch.setattr(load, shuffled)
    with pytest.raises(GateRefusedError, match="the new model was refused: worse overall"):
        personalize(asked)
    assert (asked.state / ONNX).read_bytes() == before
    assert Predictor(asked.state).model().digest == honest.digest


def test_without_a_model_and_without_a_generic_one_there_is_nothing_to_start_from(tmp_path: Path, images: Path) -> None:
    from edge.personalize import PersonalizeSettings, personalize

    with pytest.raises(RoundError, match="no model serves"):
        personalize(
            PersonalizeSettings(
                state=tmp_path, data_spec=f"folder:{images}", generic=None, client=None, epochs=1, device="cpu"
            )
        )
