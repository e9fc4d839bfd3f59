"""FedRoD: a generic head by balanced softmax, and a personal head that learns what to add to it."""

from typing import Final

from torch import Tensor
from torch.nn import functional

from shared.methods.recipe import LocalHeads, Phase, Recipe


def local_loss(features: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return the balanced risk, which moves backbone and psi, plus the personal one, which moves phi."""
    balanced = heads.loss(heads.logits("psi", features), labels)
    return balanced + personal_loss(features.detach(), labels, heads)


def personal_loss(detached: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(stopgrad(psi h) + phi h, y): phi is trained on what the generic head leaves to the client."""
    generic = heads.logits("psi", detached).detach()
    return functional.cross_entropy(generic + heads.logits("phi", detached), labels)


RECIPE: Final = Recipe(
    name="fedrod",
    title="FedRoD",
    paper="Chen and Chao, On Bridging Generic and Personalized Federated Learning for Image Classification, ICLR 2022",
    phases=(Phase(trains=frozenset({"backbone", "psi", "phi"}), loss=local_loss),),
    generic_rules=("psi",),
    personal_rules=("psi+phi", "psi+prior", "psi"),
    head_loss=personal_loss,
    phi_adds_up=True,
    knobs={"local_prior": True, "generic_rule": "psi", "personal_rule": "psi+phi"},
)
