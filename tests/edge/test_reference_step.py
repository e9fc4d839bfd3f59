"""The local step against the method as the paper tells it, written the slow obvious way.

Three optimisers, three backward passes in turn, a loop over every image for the augmentation, and the prior by hand; no
line of it is shared with the trainer but the seeds' purposes and the order of the draws.
"""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.trainer import LocalModel, train_locally
from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.seeds import generator
from shared.settings import MethodSettings, SharedSettings, TrainingSettings
from shared.tensors import load_shared_state, shared_state
from tests.edge.samples import CPU, frame, labelled_images, local_model, shared_settings, tensors_of

LABELS = [0] * 6 + [1] * 2 + [3]  # nine images in fours: the last one joins the batch before it
ROUND, CLIENT = 2, "agent-7"


def reference(model: LocalModel, data: LabelledImages, etf: Tensor, settings: SharedSettings) -> LocalModel:
    training, method = settings.training, settings.method
    backbone = build_backbone(settings.model.backbone, image_size=8, channels=3, seed=0)
    load_shared_state(backbone, model.backbone)
    backbone.train()
    assert model.psi is not None
    assert model.phi is not None
    psi, phi = linear(model.psi), linear(model.phi)
    options = {"lr": training.learning_rate, "momentum": training.momentum, "weight_decay": training.weight_decay}
    optimizers = [torch.optim.SGD(part.parameters(), **options) for part in (backbone, psi, phi)]
    order_draws = generator(settings.seed, "order", ROUND, CLIENT)
    augment_draws = generator(settings.seed, "augment", ROUND, CLIENT)
    log_prior = torch.zeros(4)
    if method.local_prior:
        for label in range(4):
            count = sum(1 for y in data.labels.tolist() if y == label)
            share = (count + method.prior_smoothing) / (len(data) + method.prior_smoothing * 4)
            log_prior[label] = math.log(share)
    for _ in range(training.local_epochs):
        order = torch.randperm(len(data), generator=order_draws).tolist()
        for batch in cut(order, training.batch_size):
            x = augmented(data, batch, settings, augment_draws)
            y = data.labels[batch]
            for optimizer in optimizers:
                optimizer.zero_grad()
            h = backbone(x)
            logits = h @ etf.T + log_prior
            functional.cross_entropy(logits, y).backward()
            functional.cross_entropy(psi(h.detach()), y).backward()
            functional.cross_entropy(phi(h.detach()), y).backward()
            for optimizer in optimizers:
                optimizer.step()
    return LocalModel(backbone=shared_state(backbone), psi=head(psi), phi=head(phi))


def cut(order: list[int], size: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        if len(batch) == 1 and batches:
            batches[-1] += batch
        else:
            batches.append(batch)
    return batches


def augmented(data: LabelledImages, batch: list[int], settings: SharedSettings, draws: torch.Generator) -> Tensor:
    padding, size = settings.training.crop_padding, settings.model.image_size
    if padding == 0 and not settings.training.horizontal_flip:
        shown = [data.images[index].float() for index in batch]
    else:
        shift = torch.randint(-padding, padding + 1, (2, len(batch), 1), generator=draws)
        mirror = torch.rand(len(batch), 1, generator=draws) if settings.training.horizontal_flip else None
        shown = []
        for place, index in enumerate(batch):
            image = data.images[index].float().unsqueeze(0)
            padded = functional.pad(image, (padding,) * 4, mode="reflect")[0]
            top, left = padding + int(shift[0, place]), padding + int(shift[1, place])
            crop = padded[:, top : top + size, left : left + size]
            shown.append(crop.flip(2) if mirror is not None and float(mirror[place]) < 0.5 else crop)
    mean, std = settings.model.mean[0], settings.model.std[0]
    return torch.stack([(image / 255 - mean) / std for image in shown])


def linear(start: Head) -> nn.Linear:
    layer = nn.Linear(start.weight.shape[1], start.weight.shape[0], bias=start.bias is not None)
    with torch.no_grad():
        layer.weight.copy_(start.weight)
        if start.bias is not None:
            layer.bias.copy_(start.bias)
    return layer


def head(layer: nn.Linear) -> Head:
    return Head(weight=layer.weight.detach(), bias=None if layer.bias is None else layer.bias.detach())


VARIANTS = {
    "default": (MethodSettings(), TrainingSettings(batch_size=4, crop_padding=2)),
    "no prior, no augmentation": (
        MethodSettings(local_prior=False),
        TrainingSettings(batch_size=4, crop_padding=0, horizontal_flip=False),
    ),
    "momentum and decay": (
        MethodSettings(prior_smoothing=2.0),
        TrainingSettings(batch_size=4, crop_padding=3, horizontal_flip=False, momentum=0.9, weight_decay=0.01),
    ),
    "one batch": (MethodSettings(), TrainingSettings(batch_size=64, crop_padding=1, local_epochs=1)),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bias", [False, True])
def test_the_trainer_does_what_three_optimisers_and_three_backward_passes_do(variant: str, bias: bool) -> None:
    method, training = VARIANTS[variant]
    settings = shared_settings(method=method, training=training)
    model, data, etf = local_model(settings, bias=bias), labelled_images(LABELS), frame(settings)
    got = train_locally(model, data, etf=etf, settings=settings, round_number=ROUND, client=CLIENT, device=CPU)
    before, expected = tensors_of(model), tensors_of(reference(model, data, etf, settings))
    found = tensors_of(got)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        # channels-last convolutions add in another order: a few units of fp32 rounding over the steps
        assert torch.allclose(found[name], tensor, rtol=1e-4, atol=1e-6), name
        assert not torch.equal(found[name], before[name]), f"{name} did not train"
