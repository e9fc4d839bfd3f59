"""Heads and features as neural collapse sees them: norms, angles and alignment."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from cloud.lab.figures import Geometry
from cloud.lab.fleet import Fleet, Seen


def geometry_of(fleet: Fleet, seen: Seen) -> Geometry:
    """Measure the final model on the balanced images (Papyan et al., PNAS 2020: NC1 to NC3)."""
    features = seen.features[fleet.evaluation]
    labels = fleet.test.labels[fleet.evaluation]
    num_classes = len(fleet.class_counts)
    means = torch.stack([_mean(features[labels == label]) for label in range(num_classes)])  # (C, d)
    centre = means.mean(0)
    centred = functional.normalize(means - centre, dim=1)
    head = fleet.generic(seen).weight
    rows = functional.normalize(head - head.mean(0), dim=1)
    pairs = (centred @ centred.T)[torch.triu(torch.ones(num_classes, num_classes), diagonal=1).bool()]
    angles = pairs.clamp(-1, 1).arccos() * (180 / math.pi)
    within = (features - means[labels]).square().sum(1).mean()
    between = (means - centre).square().sum(1).mean()
    return Geometry(
        norms=_norms(fleet, seen),
        alignment=tuple((centred * rows).sum(1).tolist()),
        angle_mean=float(angles.mean()),
        angle_std=float(angles.std(correction=0)),
        within_between=float(within / between) if float(between) > 0 else 0.0,
    )


def _mean(features: Tensor) -> Tensor:
    return features.mean(0) if len(features) else torch.zeros(features.shape[1])


def _norms(fleet: Fleet, seen: Seen) -> dict[str, tuple[float, ...]]:
    """Return the row norms of the heads the method has; phi's are means over clients."""
    found: dict[str, Tensor] = {}
    if "etf" in fleet.recipe.generic_rules:
        found["etf"] = fleet.etf
    if seen.model.psi is not None:
        found["psi"] = seen.model.psi.weight
    norms = {name: tuple(weight.norm(dim=1).tolist()) for name, weight in found.items()}
    personal = [kept.phi.weight.norm(dim=1) for kept in seen.personal.values() if kept.phi is not None]
    if personal:
        norms["phi"] = tuple(torch.stack(personal).mean(0).tolist())
    return norms
