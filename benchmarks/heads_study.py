"""One backbone in training and every head beside it: psi and phi learn on features that do not feel them."""

import math
import statistics
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.heads_variants import Variant
from cloud.aggregate import WeightedMean
from cloud.planning import plan_round
from edge.backbone_training import trainable_backbone, trained_state
from edge.batches import epochs_of_batches
from shared.etf import sparse_etf
from shared.features import features_of
from shared.metrics import accuracy, class_groups, group_accuracy
from shared.model import initial_model
from shared.prediction import log_prior
from shared.seeds import generator
from shared.settings import ModelSettings, SharedSettings, TrainingSettings
from shared.shards import ClientData, Shards
from shared.tensors import Tensors

DEVICE = torch.device("cpu")
SMOOTHING = 0.1
PSI = (("plain", 1.0), ("prior", 1.0), ("plain", 10.0), ("prior", 10.0))
"""Global heads: plain CE or with the local prior inside, and the learning rate relative to the backbone's."""
PHI = (("plain", 1.0), ("correction", 1.0), ("correction", 5.0), ("plain", 10.0))
"""Personal heads: plain CE, or CE(S h + log pi_k + phi h), likewise."""
WEIGHTS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Of log pi_k beside S h in the personal model."""


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Everything a client may move beside the backbone: (heads, num_classes, feature_dim) each."""

    first: Tensor
    psi: Tensor
    phi: Tensor


class Study:
    """One variant on one seed."""

    def __init__(self, variant: Variant, shards: Shards, seed: int) -> None:
        self.variant, self.shards, self.seed = variant, shards, seed
        training = TrainingSettings(
            learning_rate=variant.learning_rate, momentum=variant.momentum, weight_decay=variant.weight_decay
        )
        names = shards.test.class_names
        self.settings = SharedSettings(
            federation="study", class_names=names, seed=seed, model=ModelSettings(), training=training
        )
        self.backbone = initial_model(self.settings).backbone
        self.etf, _ = sparse_etf(len(names), 64, row_norm=variant.gamma, sparsity=0.6, generator=generator(seed, "etf"))
        self.clients = {data.client: data for data in shards.clients}
        shape = self.etf.shape
        self.psi = torch.zeros(len(PSI), *shape)
        self.first = torch.zeros(shape) if variant.trained else self.etf
        self.phi = {client: torch.zeros(len(PHI), *shape) for client in self.clients}

    def scaled(self, features: Tensor) -> Tensor:
        """Return features as the heads see them."""
        scale = self.variant.scale
        return functional.normalize(features, dim=1) * scale if scale else features

    def local(self, data: ClientData, round_number: int) -> tuple[Tensors, Heads]:
        """Train one client for one round."""
        training, variant = self.settings.training, self.variant
        passed = (round_number - 1) / variant.rounds
        rate = training.learning_rate * ((1 + math.cos(math.pi * passed)) / 2 if variant.cosine else 1.0)
        net = trainable_backbone(self.backbone, self.settings, DEVICE, batch_statistics=len(data.train) > 1)
        first = self.first.clone().requires_grad_(variant.trained)
        psi, phi = self.psi.clone().requires_grad_(), self.phi[data.client].clone().requires_grad_()
        prior = log_prior(data.train.class_counts(), SMOOTHING)
        moved = [*net.parameters(), *([first] if variant.trained else [])]
        backbone_sgd = torch.optim.SGD(moved, lr=rate, momentum=variant.momentum, weight_decay=variant.weight_decay)
        heads_sgd = torch.optim.SGD([psi, phi], lr=training.learning_rate, momentum=variant.momentum)
        for images, labels in epochs_of_batches(
            data.train,
            settings=self.settings,
            epochs=training.local_epochs,
            purpose=(round_number, data.client),
            device=DEVICE,
        ):
            features = self.scaled(net(images).float())
            logits = features @ first.T
            loss = functional.cross_entropy(logits + variant.prior * prior, labels)
            seen, answered = features.detach(), logits.detach() + prior
            for number, (kind, factor) in enumerate(PSI):
                own = seen @ psi[number].T + (prior if kind == "prior" else 0)
                loss = loss + factor * functional.cross_entropy(own, labels)
            for number, (kind, factor) in enumerate(PHI):
                own = seen @ phi[number].T + (answered if kind == "correction" else 0)
                loss = loss + factor * functional.cross_entropy(own, labels)
            backbone_sgd.zero_grad()
            heads_sgd.zero_grad()
            loss.backward()
            backbone_sgd.step()
            heads_sgd.step()
        return trained_state(net), Heads(first=first.detach(), psi=psi.detach(), phi=phi.detach())

    def round(self, round_number: int) -> None:
        """Train one round and average."""
        plan = plan_round(
            round_number=round_number,
            base_blob="",
            clients=list(self.clients),
            seed=self.seed,
            fraction=0.3,
            quorum=1.0,
            deadline_seconds=1.0,
        )
        base = self.packed()
        mean = WeightedMean(base)
        for client in plan.participants:
            backbone, heads = self.local(self.clients[client], round_number)
            self.phi[client] = heads.phi
            after = backbone | {"psi": heads.psi, "first": heads.first}
            mean.add({name: after[name] - tensor for name, tensor in base.items()}, len(self.clients[client].train))
        self.unpack(mean.result())

    def packed(self) -> Tensors:
        """Return everything that is averaged."""
        return self.backbone | {"psi": self.psi, "first": self.first}

    def unpack(self, tensors: Tensors) -> None:
        """Take everything that is averaged apart."""
        rest = dict(tensors)
        self.psi, self.first, self.backbone = rest.pop("psi"), rest.pop("first"), rest

    def measure(self, tensors: Tensors) -> dict[str, dict[str, list[float]]]:
        """Return every generic head's accuracy with groups, and every personal rule's mean over clients."""
        rest = dict(tensors)
        psi, first = rest.pop("psi"), rest.pop("first")
        features = self.scaled(features_of(rest, self.shards.test, self.settings.model, DEVICE))
        labels = self.shards.test.labels
        groups = class_groups(self.shards.class_counts)
        unit = {number: functional.normalize(psi[number], dim=1) * self.variant.gamma for number in range(len(PSI))}
        generic = {"S": first}
        for number, (kind, factor) in enumerate(PSI):
            name = f"psi {kind} x{factor:g}"
            generic |= {name: psi[number], f"{name} realigned": unit[number]}
            generic[f"S + {name} realigned"] = first + unit[number]
        found: dict[str, list[float]] = {}
        for name, weight in generic.items():
            logits = features @ weight.T
            by_group = group_accuracy(logits, labels, groups)
            found[name] = [accuracy(logits, labels), *(by_group[g] or 0.0 for g in ("head", "medium", "tail"))]
        return {"generic": found, "personal": self._personal(features, labels, psi, first)}

    def _personal(self, features: Tensor, labels: Tensor, psi: Tensor, first: Tensor) -> dict[str, list[float]]:
        rows: dict[str, list[float]] = {}
        for data in self.clients.values():
            if data.test_indices is None or not len(data.test_indices):
                continue
            own, truth = features[data.test_indices], labels[data.test_indices]
            prior = log_prior(data.train.class_counts(), SMOOTHING)
            phi = self.phi[data.client]
            answers = {"S": own @ first.T}
            answers |= {f"S + {weight:g} log prior": own @ first.T + weight * prior for weight in WEIGHTS}
            for number, (kind, factor) in enumerate(PSI):
                answers[f"psi {kind} x{factor:g} + log prior"] = own @ psi[number].T + prior
            for number, (kind, factor) in enumerate(PHI):
                start = own @ first.T + prior if kind == "correction" else 0
                answers[f"phi {kind} x{factor:g}"] = own @ phi[number].T + start
            answers["psi plain x1 + phi plain x1"] = own @ (psi[0] + phi[0]).T
            realigned = psi[0] * phi[0].norm(dim=1, keepdim=True)
            answers["phi' + phi"] = own @ (realigned + phi[0]).T
            for name, logits in answers.items():
                rows.setdefault(name, []).append(accuracy(logits, truth))
        return {name: [statistics.fmean(values)] for name, values in rows.items()}
