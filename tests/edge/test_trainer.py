"""What local training may touch, what it must not, and that it repeats."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import edge.trainer
from edge.trainer import LocalModel, local_heads, train_locally
from shared.heads import Head
from shared.methods import LocalHeads, fedloge
from shared.settings import MethodSettings, SharedSettings, TrainingSettings
from tests.edge.samples import (
    CPU,
    frame,
    labelled_images,
    local_model,
    same_bytes,
    shared_settings,
    tensors_of,
)
from tests.shared.draws import global_random_state_untouched

LABELS = [0, 0, 0, 0, 1, 1, 2, 3, 3, 0]


def trained(
    settings: SharedSettings,
    model: LocalModel | None = None,
    *,
    labels: list[int] = LABELS,
    round_number: int = 1,
    client: str = "agent-1",
) -> LocalModel:
    return train_locally(
        model or local_model(settings),
        labelled_images(labels),
        etf=frame(settings),
        settings=settings,
        round_number=round_number,
        client=client,
        device=CPU,
    )


def head(there: Head | None) -> Head:
    assert there is not None
    return there


def weight(there: Head | None) -> torch.Tensor:
    return head(there).weight


def test_each_loss_moves_its_own_part_and_no_other() -> None:
    features = torch.rand(5, 64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 0])
    heads = {
        name: Head(weight=torch.randn(4, 64, requires_grad=True), bias=torch.randn(4, requires_grad=True))
        for name in ("psi", "phi")
    }
    etf, log_prior = Head(weight=torch.randn(4, 64)), torch.randn(4)
    fedloge.local_loss(features, labels, LocalHeads(named={"etf": etf, **heads}, log_prior=log_prior)).backward()
    alone = features.detach().clone().requires_grad_()
    torch.nn.functional.cross_entropy(etf.logits(alone) + log_prior, labels).backward()
    assert features.grad is not None
    assert alone.grad is not None
    assert torch.equal(features.grad, alone.grad)
    assert etf.weight.grad is None
    for head in heads.values():
        weight = head.weight.detach().clone().requires_grad_()
        logits = torch.nn.functional.linear(features.detach(), weight, head.bias)
        torch.nn.functional.cross_entropy(logits, labels).backward()
        assert head.weight.grad is not None
        assert weight.grad is not None
        assert torch.allclose(head.weight.grad, weight.grad)


def test_the_heads_do_not_touch_the_backbone() -> None:
    settings = shared_settings()
    model = local_model(settings)
    other = LocalModel(
        backbone=model.backbone, psi=Head(weight=-3 * weight(model.psi)), phi=Head(weight=weight(model.phi).flip(0))
    )
    first, second = trained(settings, model), trained(settings, other)
    assert all(torch.equal(first.backbone[name], second.backbone[name]) for name in first.backbone)
    assert not torch.equal(weight(first.psi), weight(second.psi))


def test_the_personal_head_does_not_touch_the_global_one() -> None:
    settings = shared_settings()
    model = local_model(settings)
    other = LocalModel(backbone=model.backbone, psi=model.psi, phi=Head(weight=torch.zeros_like(weight(model.phi))))
    assert torch.equal(weight(trained(settings, model).psi), weight(trained(settings, other).psi))


def test_nothing_given_is_changed() -> None:
    settings = shared_settings()
    model, data, etf = local_model(settings, bias=True), labelled_images(LABELS), frame(settings)
    kept = copy.deepcopy((tensors_of(model), data.images, data.labels, etf))
    train_locally(model, data, etf=etf, settings=settings, round_number=1, client="a", device=CPU)
    assert all(torch.equal(kept[0][name], tensor) for name, tensor in tensors_of(model).items())
    assert torch.equal(kept[1], data.images)
    assert torch.equal(kept[2], data.labels)
    assert torch.equal(kept[3], etf)
    assert etf.grad is None


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
@pytest.mark.parametrize("backbone", ["resnet8", "mobilenet_v3_small"])
def test_the_same_inputs_give_the_same_bytes_and_the_global_state_is_neither_read_nor_changed(
    precision: str, backbone: str
) -> None:
    training = TrainingSettings(batch_size=4, crop_padding=2, precision=precision, local_epochs=1)  # type: ignore[arg-type]
    settings = shared_settings(backbone=backbone, training=training)
    torch.manual_seed(1)
    first = trained(settings)
    torch.manual_seed(2)  # mobilenet has dropout, which would read it
    with global_random_state_untouched():
        second = trained(settings)
    assert same_bytes(first, second)


def test_rounds_and_clients_draw_apart() -> None:
    settings = shared_settings()
    first = trained(settings)
    assert not same_bytes(first, trained(settings, round_number=2))
    assert not same_bytes(first, trained(settings, client="agent-2"))


def test_what_comes_back_is_plain_float32_on_the_cpu() -> None:
    for tensor in tensors_of(trained(shared_settings())).values():
        assert tensor.dtype == torch.float32
        assert tensor.device == CPU
        assert tensor.is_contiguous()
        assert not tensor.requires_grad


def test_bf16_is_near_fp32_and_not_the_same() -> None:
    fp32 = trained(shared_settings(training=TrainingSettings(batch_size=4, precision="fp32", local_epochs=1)))
    bf16 = trained(shared_settings(training=TrainingSettings(batch_size=4, precision="bf16", local_epochs=1)))
    assert not same_bytes(fp32, bf16)
    assert float((weight(fp32.psi) - weight(bf16.psi)).abs().max()) < 0.05


@pytest.mark.parametrize("labels", [[2], [0, 1], [3, 3, 3], [1] * 5, [0, 1, 2, 3, 0]])
def test_fewer_images_than_a_batch_and_a_single_class_take_part(labels: list[int]) -> None:
    settings = shared_settings()
    model = local_model(settings)
    got = trained(settings, model, labels=labels)
    for name, tensor in tensors_of(got).items():
        assert bool(torch.isfinite(tensor).all()), name
    assert not torch.equal(weight(got.psi), weight(model.psi))
    assert not torch.equal(weight(got.phi), weight(model.phi))
    moved = [name for name in got.backbone if not torch.equal(got.backbone[name], model.backbone[name])]
    assert moved


def test_one_image_trains_on_the_running_statistics_and_leaves_them() -> None:
    settings = shared_settings()
    model = local_model(settings)
    got = trained(settings, model, labels=[2])
    running = [name for name in model.backbone if "running_" in name]
    assert running
    assert all(torch.equal(got.backbone[name], model.backbone[name]) for name in running)
    more = trained(settings, model, labels=[2, 2])
    assert not any(torch.equal(more.backbone[name], model.backbone[name]) for name in running)


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_a_deep_network_whose_maps_shrink_to_one_pixel_takes_any_number_of_images(count: int) -> None:
    settings = shared_settings(backbone="resnet18-stem7")  # 8 pixels become 1x1, where one image has no variance
    got = trained(settings, labels=[0] * count)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in got.backbone.values())


def test_no_images_give_back_what_came() -> None:
    settings = shared_settings()
    model = local_model(settings)
    assert same_bytes(trained(settings, model, labels=[]), model)


def test_losses_read_the_prior_of_this_client_or_none() -> None:
    model, etf, counts = LocalModel(backbone={}), torch.ones(4, 64), torch.tensor([8, 2, 0, 0])
    prior = local_heads(model, counts, etf=etf, method=MethodSettings(prior_smoothing=0.5), device=CPU).log_prior
    assert prior is not None
    assert torch.allclose(prior.exp(), torch.tensor([8.5, 2.5, 0.5, 0.5]) / 12)
    assert local_heads(model, counts, etf=etf, method=MethodSettings(local_prior=False), device=CPU).log_prior is None


def test_training_learns() -> None:
    training = TrainingSettings(batch_size=4, local_epochs=20, crop_padding=0, horizontal_flip=False)
    settings = shared_settings(training=training)
    model, data = local_model(settings), labelled_images([0, 1, 2, 3] * 4)
    features = {}
    for name, state in (("before", model), ("after", trained(settings, model, labels=[0, 1, 2, 3] * 4))):
        features[name] = error(state, settings, data.images, data.labels)
    assert features["after"] < 0.5 * features["before"]


def error(model: LocalModel, settings: SharedSettings, images: torch.Tensor, labels: torch.Tensor) -> float:
    from shared.backbones import build_backbone
    from shared.features import extract_features
    from shared.tensors import load_shared_state

    module = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    load_shared_state(module, model.backbone)
    logits = head(model.psi).logits(extract_features(module, images, settings.model, device=CPU))
    return float(torch.nn.functional.cross_entropy(logits, labels))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu_in_fp32() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    settings = shared_settings(training=TrainingSettings(batch_size=4, precision="fp32", crop_padding=2))
    model, data, etf = local_model(settings), labelled_images(LABELS), frame(settings)
    cpu, cuda = (
        train_locally(model, data, etf=etf, settings=settings, round_number=1, client="a", device=torch.device(name))
        for name in ("cpu", "cuda")
    )
    for name, tensor in tensors_of(cpu).items():
        assert torch.allclose(tensors_of(cuda)[name], tensor, atol=1e-2), name


@pytest.mark.cuda
def test_an_epoch_on_cuda_never_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    whole = edge.trainer.epochs_of_batches

    def watched(*arguments: Any, **options: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        torch.cuda.set_sync_debug_mode("error")  # from the first batch to the end of the last step
        try:
            yield from whole(*arguments, **options)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(edge.trainer, "epochs_of_batches", watched)
    settings = shared_settings(training=TrainingSettings(batch_size=4, local_epochs=1, crop_padding=2))
    train_locally(
        local_model(settings),
        labelled_images(LABELS),
        etf=frame(settings),
        settings=settings,
        round_number=1,
        client="a",
        device=torch.device("cuda"),
    )
