"""FedAvg, and beside it a personal head per client on features that do not feel it."""

from typing import Final

from torch import Tensor

from shared.methods import fedavg
from shared.methods.recipe import LocalHeads, Phase, Recipe


def local_loss(features: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return FedAvg's loss plus that of phi, which moves phi only."""
    return fedavg.local_loss(features, labels, heads) + personal_loss(features.detach(), labels, heads)


def personal_loss(detached: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(phi h, y), with log pi_k inside where the method has the prior."""
    return heads.loss(heads.logits("phi", detached), labels)


PHASES: Final = (Phase(trains=frozenset({"backbone", "psi", "phi"}), loss=local_loss),)

RECIPE: Final = Recipe(
    name="fedavg-heads",
    title="FedAvg with personal heads",
    paper=f"{fedavg.PAPER}; a linear head per client on its features",
    phases=PHASES,
    generic_rules=("psi",),
    personal_rules=("phi", "psi+phi", "psi"),
    head_loss=personal_loss,
    knobs={"local_prior": False, "generic_rule": "psi", "personal_rule": "phi"},
)
