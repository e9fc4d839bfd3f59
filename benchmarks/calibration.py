"""The calibration setting, and its round by the product's functions: what ``speed.py`` measures.

CIFAR-10 made long-tailed with imbalance factor 100, 40 clients at alpha 0.5, 12 of them a round, 2 local epochs,
batches of 32, ResNet-8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cloud.aggregate import WeightedMean
from edge.device_data import DeviceData
from edge.round import run_round
from edge.starting import starting_point
from shared.data import read
from shared.etf import sparse_etf
from shared.features import measured_features
from shared.heads import Head
from shared.methods import recipe_of
from shared.metrics import accuracy
from shared.model import SharedModel, initial_model, pack, unpack
from shared.prediction import generic_head, personal_of
from shared.seeds import generator
from shared.settings import ModelSettings, ReportSettings, SharedSettings
from shared.shards import ClientData, Shards, deal
from tests.slow_reference import SlowFigures, SlowRound

CLIENTS, PARTICIPANTS, IMBALANCE, ALPHA = 40, 12, 100.0, 0.5

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A federation before its first round."""

    shards: Shards
    settings: SharedSettings
    model: SharedModel
    etf: Tensor
    phis: dict[str, Head]

    @property
    def participants(self) -> Sequence[ClientData]:
        """The clients that train."""
        return self.shards.clients[:PARTICIPANTS]


def prepare(source: str, seed: int = 0) -> Calibration:
    """Read and deal the images, and make the model of round 0."""
    splits = read(source)
    clients = [f"client-{number:02d}" for number in range(CLIENTS)]
    shards = deal(splits, clients=clients, imbalance_factor=IMBALANCE, alpha=ALPHA, seed=seed)
    settings = SharedSettings(
        federation="speed",
        class_names=splits.class_names,
        seed=seed,
        model=ModelSettings(image_size=splits.image_size, channels=3),
        report=ReportSettings(received=False),  # the evaluation measures every client
    )
    model = initial_model(settings)
    dimension = etf_dimension(model)
    etf, _ = sparse_etf(
        settings.num_classes,
        dimension,
        row_norm=settings.method.row_norm(dimension),
        sparsity=settings.method.sparsity,
        generator=generator(seed, "etf"),
    )
    phis = {}
    for client in clients:
        phi = starting_point(model, etf=etf, settings=settings, client=client).phi
        if phi is not None:
            phis[client] = phi
    return Calibration(shards=shards, settings=settings, model=model, etf=etf, phis=phis)


def etf_dimension(model: SharedModel) -> int:
    """Return the number of features, d."""
    if model.psi is None:
        raise ValueError("the default method shares a global head")
    return model.psi.weight.shape[1]


def fast_round(setting: Calibration, clients: Sequence[ClientData]) -> SlowRound:
    """Train the given clients and average what they learnt."""
    mean, phis = WeightedMean(pack(setting.model)), {}
    none = setting.shards.test.select(torch.arange(0))
    for client in clients:
        outcome = run_round(
            setting.model,
            etf=setting.etf,
            personal=None,
            data=DeviceData(train=client.train, held_out=none),
            settings=setting.settings,
            round_number=1,
            client=client.client,
            device=CPU,
        )
        mean.add(outcome.delta, outcome.num_examples)
        if outcome.personal.phi is not None:
            phis[client.client] = outcome.personal.phi
    return SlowRound(model=unpack(mean.result()), phis=phis)


def generic_heads(setting: Calibration, model: SharedModel, *, every_rule: bool = False) -> dict[str, Head]:
    """Return the generic model's heads: that of the rule in use, or of all rules with that one first."""
    method = setting.settings.method
    rules = [method.generic_rule]
    if every_rule:
        rules += [rule for rule in recipe_of(method).generic_rules if rule != method.generic_rule]
    return {rule: generic_head(rule, etf=setting.etf, psi=model.psi) for rule in rules}


def personal_heads(setting: Calibration, model: SharedModel) -> dict[str, Head]:
    """Return every client's head by the rule in use."""
    return {
        client.client: personal_of(
            setting.settings.method,
            etf=setting.etf,
            psi=model.psi,
            phi=setting.phis.get(client.client),
            class_counts=client.train.class_counts(),
        )
        for client in setting.shards.clients
    }


def fast_evaluation(
    setting: Calibration, model: SharedModel, generic: Mapping[str, Head], personal: Mapping[str, Head]
) -> SlowFigures:
    """Run the backbone once over the test images; every figure is then a matrix product and an index."""
    shards = setting.shards
    features = measured_features(model.backbone, shards.test, setting.settings, CPU)
    labels, balanced = shards.test.labels, shards.evaluation_indices
    logits = {rule: head.logits(features) for rule, head in generic.items()}
    first = next(iter(logits.values()))
    mine = {client.client: client.test_indices for client in shards.clients if client.test_indices is not None}
    return SlowFigures(
        gm={rule: accuracy(values[balanced], labels[balanced]) for rule, values in logits.items()},
        generic={client: accuracy(first[indices], labels[indices]) for client, indices in mine.items()},
        personal={
            client: accuracy(personal[client].logits(features[indices]), labels[indices])
            for client, indices in mine.items()
        },
    )
