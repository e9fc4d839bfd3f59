"""One round of a federation with its evaluation, written the slow obvious way.

What the product's round must compute, and what its speed is measured against: a loop over every image for its
transforms, three optimisers and three backward passes in turn, fp32 in plain memory, a deep copy of the model per
client, and an evaluation that runs the backbone again for every client and every model, as the authors' code does. No
line is shared with the trainer but the purposes of the seeds and the order of the draws.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.model import SharedModel
from shared.seeds import generator
from shared.settings import SharedSettings
from shared.shards import ClientData
from shared.tensors import load_shared_state, shared_state


@dataclass(frozen=True, kw_only=True)
class SlowRound:
    """What a round left.

    Attributes:
        model: The shared model after the round.
        phis: The participants' personal heads after it.
    """

    model: SharedModel
    phis: dict[str, Head]


@dataclass(frozen=True, kw_only=True)
class SlowFigures:
    """Accuracies, 0..1.

    Attributes:
        gm: Of the generic model by each rule on the balanced images.
        generic: Of the generic model by the first rule on each client's own test.
        personal: Of each personal model on the same.
    """

    gm: dict[str, float]
    generic: dict[str, float]
    personal: dict[str, float]


def slow_round(
    model: SharedModel,
    *,
    etf: Tensor,
    phis: Mapping[str, Head],
    clients: Sequence[ClientData],
    settings: SharedSettings,
    round_number: int,
) -> SlowRound:
    """Train the given clients one after the other and average what they learnt."""
    if model.psi is None:
        raise ValueError("the reference is FedLoGe's, whose model has a global head")
    backbone = _backbone(model, settings)
    psi = linear(model.psi)
    trained: list[tuple[nn.Module, nn.Linear, int]] = []
    personal = {}
    for client in clients:
        own_backbone, own_psi, phi = copy.deepcopy(backbone), copy.deepcopy(psi), linear(phis[client.client])
        slow_training(
            own_backbone,
            own_psi,
            phi,
            client.train,
            etf=etf,
            settings=settings,
            round_number=round_number,
            client=client.client,
        )
        trained.append((own_backbone, own_psi, len(client.train)))
        personal[client.client] = head(phi)
    total = sum(count for _, _, count in trained)
    mean = {
        name: sum(count * shared_state(own)[name].double() for own, _, count in trained) / total
        for name in model.backbone
    }
    weight = sum(count * own.weight.detach().double() for _, own, count in trained) / total
    bias = None
    if model.psi.bias is not None:
        bias = (sum(count * own.bias.detach().double() for _, own, count in trained) / total).float()
    return SlowRound(
        model=SharedModel(
            backbone={name: tensor.float() for name, tensor in mean.items()}, psi=Head(weight=weight.float(), bias=bias)
        ),
        phis=personal,
    )


def slow_training(
    backbone: nn.Module,
    psi: nn.Linear,
    phi: nn.Linear,
    data: LabelledImages,
    *,
    etf: Tensor,
    settings: SharedSettings,
    round_number: int,
    client: str,
) -> None:
    """Train in place: CE(S h + log pi) moves the backbone, CE(psi h) moves psi, CE(phi h) moves phi."""
    training, method = settings.training, settings.method
    backbone.train()
    options = {"lr": training.learning_rate, "momentum": training.momentum, "weight_decay": training.weight_decay}
    optimizers = [torch.optim.SGD(part.parameters(), **options) for part in (backbone, psi, phi)]
    order_draws = generator(settings.seed, "order", round_number, client)
    augment_draws = generator(settings.seed, "augment", round_number, client)
    log_prior = torch.zeros(settings.num_classes)
    if method.local_prior:
        log_prior = torch.tensor(log_frequencies(data, settings))
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


def slow_evaluation(
    model: SharedModel,
    *,
    generic: Mapping[str, Head],
    personal: Mapping[str, Head],
    clients: Sequence[ClientData],
    evaluation: LabelledImages,
    settings: SharedSettings,
) -> SlowFigures:
    """Measure each generic model on the balanced images, and the first and its own model on every client's own test.

    Args:
        model: Its backbone is run again for each figure.
        generic: Heads by rule, the rule in use first.
        personal: Heads by client.
        clients: All of them.
        evaluation: The balanced images.
        settings: Say the normalisation and the batch size.
    """
    backbone = _backbone(model, settings)
    heads = {rule: linear(start) for rule, start in generic.items()}
    first = next(iter(heads.values()))
    return SlowFigures(
        gm={rule: slow_accuracy(backbone, layer, evaluation, settings) for rule, layer in heads.items()},
        generic={client.client: slow_accuracy(backbone, first, client.test, settings) for client in clients},
        personal={
            client.client: slow_accuracy(backbone, linear(personal[client.client]), client.test, settings)
            for client in clients
        },
    )


@torch.no_grad()
def slow_accuracy(backbone: nn.Module, classifier: nn.Linear, data: LabelledImages, settings: SharedSettings) -> float:
    """Return the share of right answers, in batches as large as in training, each image transformed and counted."""
    backbone, classifier = copy.deepcopy(backbone).eval(), copy.deepcopy(classifier)
    right = 0
    for batch in cut(list(range(len(data))), settings.training.batch_size):
        x = torch.stack([transformed(data.images[index].float(), settings) for index in batch])
        answers = classifier(backbone(x)).argmax(dim=1)
        for answer, index in zip(answers, batch, strict=True):
            if answer == data.labels[index]:
                right += 1
    return right / len(data)


def log_frequencies(data: LabelledImages, settings: SharedSettings) -> list[float]:
    """Count a client's classes one image at a time; return log pi."""
    smoothing = settings.method.prior_smoothing
    shares = []
    for label in range(settings.num_classes):
        count = sum(1 for y in data.labels.tolist() if y == label)
        shares.append((count + smoothing) / (len(data) + smoothing * settings.num_classes))
    return [math.log(share) for share in shares]


def cut(order: list[int], size: int) -> list[list[int]]:
    """Cut an order into batches; a single image left over joins the batch before it."""
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        if len(batch) == 1 and batches:
            batches[-1] += batch
        else:
            batches.append(batch)
    return batches


def augmented(data: LabelledImages, batch: list[int], settings: SharedSettings, draws: torch.Generator) -> Tensor:
    """Pad, crop, mirror and normalise one image after the other."""
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
    return torch.stack([transformed(image, settings) for image in shown])


def transformed(image: Tensor, settings: SharedSettings) -> Tensor:
    """Normalise one image, (channels, height, width), float32."""
    mean = torch.tensor(settings.model.mean).view(-1, 1, 1)
    std = torch.tensor(settings.model.std).view(-1, 1, 1)
    return (image / 255 - mean) / std


def linear(start: Head) -> nn.Linear:
    """Return a head as a layer."""
    layer = nn.Linear(start.weight.shape[1], start.weight.shape[0], bias=start.bias is not None)
    with torch.no_grad():
        layer.weight.copy_(start.weight)
        if start.bias is not None:
            layer.bias.copy_(start.bias)
    return layer


def head(layer: nn.Linear) -> Head:
    """Return a layer as a head."""
    return Head(weight=layer.weight.detach(), bias=None if layer.bias is None else layer.bias.detach())


def _backbone(model: SharedModel, settings: SharedSettings) -> nn.Module:
    own = settings.model
    module = build_backbone(own.backbone, image_size=own.image_size, channels=own.channels, seed=0)
    load_shared_state(module, model.backbone)
    return module
