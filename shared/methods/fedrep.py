"""FedRep: clients share the backbone only; each first fits its own head, then trains the backbone through it."""

from typing import Final

from torch import Tensor
from torch.nn import functional

from shared.methods.recipe import LocalHeads, Phase, Recipe


def head_loss(features: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(phi h, y); which of phi and the backbone it moves is the phase's choice (Algorithm 1)."""
    return functional.cross_entropy(heads.logits("phi", features), labels)


RECIPE: Final = Recipe(
    name="fedrep",
    title="FedRep",
    paper="Collins et al., Exploiting Shared Representations for Personalized Federated Learning, ICML 2021",
    phases=(
        Phase(trains=frozenset({"phi"}), loss=head_loss),
        Phase(trains=frozenset({"backbone"}), loss=head_loss),
    ),
    generic_rules=(),
    personal_rules=("phi",),
    head_loss=head_loss,
    knobs={"local_prior": False, "personal_rule": "phi"},
)
