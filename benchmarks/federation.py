"""A federation in one process, without a network: the product's own functions in the coordinator's order."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cloud.aggregate import WeightedMean
from edge.device_data import DeviceData
from edge.round import run_round
from shared.data import Splits, held_out
from shared.etf import sparse_etf
from shared.heads import Head
from shared.model import SharedModel, initial_model, pack, unpack
from shared.seeds import generator
from shared.settings import MethodSettings, ModelSettings, SharedSettings, TrainingSettings
from shared.shards import deal

VALIDATION_SHARE = 0.25
"""Share of each client's training images that are held back to choose by; test images choose nothing."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One way to run a federation; the defaults are those of ``fedloge demo``."""

    imbalance: float = 10.0
    alpha: float = 0.5
    clients: int = 6
    rounds: int = 20
    backbone: str = "resnet8"
    method: MethodSettings = MethodSettings()  # noqa: RUF009 - frozen, so it may be shared
    local_epochs: int = 2
    batch_size: int = 16
    learning_rate: float = 0.03
    momentum: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A federation after its last round."""

    settings: SharedSettings
    model: SharedModel
    etf: Tensor
    heads: dict[str, Head]
    data: dict[str, DeviceData]


def with_method(setting: Setting, **changes: object) -> Setting:
    """Return the setting with some of the method's knobs changed."""
    knobs = {name: getattr(setting.method, name) for name in MethodSettings.__struct_fields__} | changes
    return replace(setting, method=MethodSettings(**knobs))


def train(splits: Splits, setting: Setting, seed: int) -> Trained:
    """Deal the data, hold validation images back, and train all rounds with all clients."""
    torch.set_num_threads(1)
    clients = [f"client-{number:02d}" for number in range(setting.clients)]
    shards = deal(splits, clients=clients, imbalance_factor=setting.imbalance, alpha=setting.alpha, seed=seed)
    data = {}
    for shard in shards.clients:
        kept, validation = held_out(shard.train, share=VALIDATION_SHARE, seed=seed, client=shard.client)
        data[shard.client] = DeviceData(train=kept, held_out=validation)
    settings = _settings(splits, setting, seed)
    model = initial_model(settings)
    dimension = model.psi.weight.shape[1]
    etf, _ = sparse_etf(
        settings.num_classes,
        dimension,
        row_norm=settings.method.row_norm(dimension),
        sparsity=settings.method.sparsity,
        generator=generator(seed, "etf"),
    )
    heads: dict[str, Head] = {}
    for number in range(1, setting.rounds + 1):
        mean = WeightedMean(pack(model))
        for client in clients:
            outcome = run_round(
                model,
                etf=etf,
                phi=heads.get(client),
                data=data[client],
                settings=settings,
                round_number=number,
                client=client,
                device=torch.device("cpu"),
            )
            heads[client] = outcome.phi
            mean.add(outcome.delta, outcome.num_examples)
        model = unpack(mean.result())
    return Trained(settings=settings, model=model, etf=etf, heads=heads, data=data)


def _settings(splits: Splits, setting: Setting, seed: int) -> SharedSettings:
    model = ModelSettings(
        backbone=setting.backbone, image_size=splits.image_size, channels=1 if splits.channels == 1 else 3
    )
    training = TrainingSettings(
        local_epochs=setting.local_epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        momentum=setting.momentum,
        crop_padding=model.image_size // 8,
        horizontal_flip=model.channels == 3,
    )
    return SharedSettings(
        federation="study",
        class_names=splits.class_names,
        seed=seed,
        model=model,
        method=setting.method,
        training=training,
    )
