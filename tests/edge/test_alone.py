"""The baseline: plain training on one device, repeatable, and as long as it is told."""

import pytest
import torch

from edge.alone import train_alone
from shared.backbones import build_backbone
from shared.features import extract_features
from shared.heads import Head
from shared.settings import SharedSettings, TrainingSettings
from shared.tensors import Tensors, load_shared_state
from tests.edge.samples import CPU, labelled_images, local_model, shared_settings
from tests.shared.draws import global_random_state_untouched

LABELS = [0, 0, 0, 1, 1, 2, 0, 0, 3]


def alone(settings: SharedSettings, labels: list[int] = LABELS, epochs: int = 2) -> tuple[Tensors, Head]:
    initial = local_model(settings).backbone
    return train_alone(initial, labelled_images(labels), settings=settings, epochs=epochs, client="a", device=CPU)


def test_it_repeats_and_neither_reads_nor_changes_the_global_state() -> None:
    settings = shared_settings(backbone="mobilenet_v3_small")
    torch.manual_seed(1)
    backbone, head = alone(settings, epochs=1)
    torch.manual_seed(2)
    with global_random_state_untouched():
        again, head_again = alone(settings, epochs=1)
    assert all(torch.equal(backbone[name], again[name]) for name in backbone)
    assert torch.equal(head.weight, head_again.weight)


def test_it_learns_its_own_images() -> None:
    training = TrainingSettings(batch_size=4, crop_padding=0, horizontal_flip=False)
    settings = shared_settings(training=training)
    labels = [0, 1, 2, 3] * 4
    data = labelled_images(labels)
    backbone, head = alone(settings, labels, epochs=40)
    module = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    load_shared_state(module, backbone)
    logits = head.logits(extract_features(module, data.images, settings.model, device=CPU))
    assert float((logits.argmax(1) == data.labels).float().mean()) > 0.8


@pytest.mark.parametrize("labels", [[1], [2, 2, 2], [0] * 5])
def test_one_image_and_one_class_are_no_error(labels: list[int]) -> None:
    backbone, head = alone(shared_settings(), labels)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in (*backbone.values(), head.weight))


def test_without_images_or_epochs_the_backbone_stays() -> None:
    settings = shared_settings()
    initial = local_model(settings).backbone
    for labels, epochs in (([], 3), (LABELS, 0)):
        backbone, _ = alone(settings, labels, epochs)
        assert all(torch.equal(backbone[name], initial[name]) for name in initial)


def test_more_epochs_train_on() -> None:
    settings = shared_settings()
    assert not torch.equal(alone(settings, epochs=1)[1].weight, alone(settings, epochs=2)[1].weight)
