"""Catching up: the head follows the backbone, the backbone stays, and nothing else is read."""

import torch
from torch.nn import functional

from edge.catch_up import catch_up
from edge.personal import Personal
from edge.trainer import LocalModel
from shared.backbones import build_backbone
from shared.features import extract_features
from shared.heads import Head
from shared.images import LabelledImages
from shared.model import SharedModel
from shared.seeds import generator
from shared.settings import SharedSettings, TrainingSettings
from shared.tensors import load_shared_state
from tests.edge.samples import CPU, frame, labelled_images, local_model, shared_settings
from tests.shared.draws import global_random_state_untouched

LABELS = [0, 0, 0, 1, 1, 2, 0, 0, 1]


def caught_up(
    phi: Head,
    model: LocalModel,
    data: LabelledImages,
    *,
    settings: SharedSettings,
    epochs: int,
    client: str,
    device: torch.device,
) -> Head:
    got = catch_up(
        Personal(phi=phi),
        SharedModel(backbone=model.backbone, psi=model.psi),
        data,
        etf=frame(settings),
        settings=settings,
        epochs=epochs,
        client=client,
        device=device,
    )
    assert got.phi is not None
    return got.phi


def test_it_is_sgd_on_the_heads_own_loss_over_the_final_backbones_features() -> None:
    training = TrainingSettings(batch_size=4, momentum=0.9, weight_decay=0.01, learning_rate=0.1)
    settings = shared_settings(training=training)
    model, data = local_model(settings, bias=True), labelled_images(LABELS)
    with global_random_state_untouched():
        got = caught_up(model.phi, model, data, settings=settings, epochs=3, client="a", device=CPU)
    module = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    load_shared_state(module, model.backbone)
    features = extract_features(module, data.images, settings.model, device=CPU)
    layer = torch.nn.Linear(64, 4)
    layer.load_state_dict({"weight": model.phi.weight, "bias": model.phi.bias})
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    draws = generator(settings.seed, "catch-up", "a")
    for _ in range(3):
        order = torch.randperm(9, generator=draws).tolist()
        for batch in (order[:4], order[4:]):
            optimizer.zero_grad()
            functional.cross_entropy(layer(features[batch]), data.labels[batch]).backward()
            optimizer.step()
    assert torch.allclose(got.weight, layer.weight.detach(), atol=1e-6)
    assert got.bias is not None
    assert torch.allclose(got.bias, layer.bias.detach(), atol=1e-6)


def test_nothing_given_is_changed_and_the_same_comes_out_twice() -> None:
    settings = shared_settings()
    model, data = local_model(settings), labelled_images(LABELS)
    before = model.phi.weight.clone()
    kept = {name: tensor.clone() for name, tensor in model.backbone.items()}
    first, second = (
        caught_up(model.phi, model, data, settings=settings, epochs=2, client="a", device=CPU) for _ in range(2)
    )
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(model.phi.weight, before)
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.backbone.items())
    assert not first.weight.requires_grad


def test_no_epochs_or_no_images_leave_the_head_as_it_is() -> None:
    settings = shared_settings()
    model = local_model(settings)
    for labels, epochs in ((LABELS, 0), ([], 3)):
        data = labelled_images(labels)
        got = caught_up(model.phi, model, data, settings=settings, epochs=epochs, client="a", device=CPU)
        assert torch.equal(got.weight, model.phi.weight)


def test_one_image_is_enough() -> None:
    settings = shared_settings()
    model = local_model(settings)
    start = Head(weight=torch.zeros_like(model.phi.weight))
    got = caught_up(start, model, labelled_images([2]), settings=settings, epochs=1, client="a", device=CPU)
    assert int(got.weight.norm(dim=1).argmax()) == 2
