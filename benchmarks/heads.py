"""One backbone, many heads: what should gamma, the optimiser, psi, phi and the prediction rules be?

psi and phi learn on features that do not feel them, so one training run carries any number of them beside each other.
Everything is measured on a pool of training images that no client gets (``measured_on = "validation"``): no test image
is read. A finished run is one JSON file and is never run again.

Run:  OMP_NUM_THREADS=1 python benchmarks/heads.py gamma-6 lr-0.1     (names of variants; all without any)
      python benchmarks/heads.py --table
"""

import argparse
import json
import math
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from cloud.aggregate import WeightedMean
from cloud.lab.setting import client_names
from cloud.planning import plan_round
from edge.backbone_training import trainable_backbone, trained_state
from edge.batches import epochs_of_batches
from edge.evaluate import features_of
from shared.data import read
from shared.etf import sparse_etf
from shared.metrics import accuracy, class_groups, group_accuracy
from shared.model import initial_model
from shared.prediction import log_prior
from shared.protocol import Protocol
from shared.seeds import generator
from shared.settings import ModelSettings, SharedSettings, TrainingSettings
from shared.shards import ClientData, Shards, deal
from shared.tensors import Tensors

RESULTS = Path(__file__).parent / "results" / "heads"
DEVICE = torch.device("cpu")
SMOOTHING = 0.1
PSI = (("plain", 1.0), ("prior", 1.0), ("plain", 10.0), ("prior", 10.0))
"""Global heads: plain CE or with the local prior inside, and the learning rate relative to the backbone's."""
PHI = (("plain", 1.0), ("correction", 1.0), ("correction", 5.0), ("plain", 10.0))
"""Personal heads: plain CE, or CE(S h + log pi_k + phi h), likewise."""
WEIGHTS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Of log pi_k beside S h in the personal model."""
AVERAGES = (0.7, 0.85)
"""Decay per round of an exponential average of the shared model."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One training run; the defaults are the calibration setting's.

    Attributes:
        gamma: Norm of S's rows.
        learning_rate: SGD's.
        momentum: SGD's.
        weight_decay: Of the backbone.
        cosine: Lower the learning rate to 0 along a cosine over the rounds.
        prior: Weight of log pi_k inside the backbone's loss.
        trained: Train the head that moves the backbone instead of freezing it: FedAvg, with or without the prior.
        scale: Features are normalised to this length first; 0 leaves them as they are.
        rounds: To train.
    """

    gamma: float = 3.0
    learning_rate: float = 0.03
    momentum: float = 0.5
    weight_decay: float = 0.0
    cosine: bool = False
    prior: float = 1.0
    trained: bool = False
    scale: float = 0.0
    rounds: int = 40


BASE = Variant()
FAST = replace(BASE, learning_rate=0.1)
QUICK = replace(BASE, momentum=0.9, gamma=6.0)
VARIANTS = {
    "base": BASE,
    "momentum-0.9": replace(BASE, momentum=0.9),
    "lr-0.1": FAST,
    "lr-0.1-cosine": replace(FAST, cosine=True),
    "lr-0.1-decay": replace(FAST, weight_decay=5e-4),
    "lr-0.05-momentum-0.9-cosine-decay": replace(
        BASE, learning_rate=0.05, momentum=0.9, cosine=True, weight_decay=5e-4
    ),
    "momentum-0.9-gamma-6": QUICK,
    "momentum-0.9-gamma-10": replace(QUICK, gamma=10.0),
    "momentum-0.9-gamma-6-decay": replace(QUICK, weight_decay=5e-4),
    "momentum-0.9-gamma-6-cosine": replace(QUICK, cosine=True),
    "lr-0.05-momentum-0.9-gamma-6": replace(QUICK, learning_rate=0.05),
    "lr-0.05-momentum-0.9-gamma-6-cosine-decay": replace(QUICK, learning_rate=0.05, cosine=True, weight_decay=5e-4),
    "lr-0.1-gamma-6": replace(FAST, gamma=6.0),
    "lr-0.1-gamma-1.5": replace(FAST, gamma=1.5),
    "lr-0.1-normalised": replace(FAST, scale=8.0, gamma=1.5),
    "fedavg-prior": replace(BASE, trained=True),
    "fedavg-prior-lr-0.1": replace(FAST, trained=True),
    "fedavg-lr-0.1": replace(FAST, trained=True, prior=0.0),
    "fedavg-prior-momentum-0.9": replace(QUICK, trained=True),
    "fedavg-momentum-0.9": replace(QUICK, trained=True, prior=0.0),
}


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


def run(name: str, variant: Variant, data: str, seed: int) -> dict[str, object]:
    """Train one variant, measured every ten rounds, with the averaged models beside the last one."""
    torch.set_num_threads(1)
    started = time.monotonic()
    splits = read(data)
    shards = deal(
        splits,
        clients=client_names(40),
        imbalance_factor=100.0,
        alpha=0.5,
        seed=seed,
        protocol=Protocol(measured_on="validation"),
    )
    study, averages, curve = Study(variant, shards, seed), {}, {}
    for number in range(1, variant.rounds + 1):
        study.round(number)
        for decay in AVERAGES:
            last = averages.get(decay, study.packed())
            averages[decay] = {key: decay * last[key] + (1 - decay) * tensor for key, tensor in study.packed().items()}
        if number % 10 == 0:
            curve[str(number)] = study.measure(study.packed())
            curve |= {f"{number}, average {decay}": study.measure(tensors) for decay, tensors in averages.items()}
            print(f"{name}: round {number}, GM of S {100 * curve[str(number)]['generic']['S'][0]:.1f} %", flush=True)
    seconds = round(time.monotonic() - started, 1)
    return {"variant": asdict(variant), "data": data, "seed": seed, "curve": curve, "seconds": seconds}


def table(seed: int, point: str) -> str:
    """Return the variants' main figures as Markdown; a variant without its run says so."""
    heads = ("variant", "GM (S)", "head", "medium", "tail", "PM, S + log prior", "best weight of the prior")
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
    for name in VARIANTS:
        path = RESULTS / f"{name}-{seed}.json"
        if not path.exists():
            lines.append(f"| {name} | missing | | | | | |")
            continue
        found = json.loads(path.read_text())["curve"][point]
        figures = [f"{100 * value:.1f}" for value in found["generic"]["S"]]
        personal = {key: row[0] for key, row in found["personal"].items()}
        best = max(WEIGHTS, key=lambda weight: personal[f"S + {weight:g} log prior"])
        plain, tuned = personal["S + 1 log prior"], personal[f"S + {best:g} log prior"]
        figures += [f"{100 * plain:.1f}", f"{best:g}: {100 * tuned:.1f}"]
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", help=f"some of: {', '.join(VARIANTS)}")
    parser.add_argument("--data", default="", help="folder:DIR with CIFAR-10's images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--point", default="40", help="round to print")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.variants if name not in VARIANTS]
    if unknown or not (arguments.table or arguments.data):
        sys.exit(f"unknown variants: {unknown}" if unknown else "--data folder:DIR is needed, or --table")
    for name in [] if arguments.table else arguments.variants or VARIANTS:
        path = RESULTS / f"{name}-{arguments.seed}.json"
        if not path.exists():
            result = run(name, VARIANTS[name], arguments.data, arguments.seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=1) + "\n")
    print(table(arguments.seed, arguments.point))


if __name__ == "__main__":
    main()
