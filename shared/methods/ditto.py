"""Ditto: FedAvg for everybody, and per client a whole model of its own, pulled towards the global one."""

from typing import Final

from torch import Tensor
from torch.nn import functional

from shared.methods import fedavg
from shared.methods.recipe import LocalHeads, Phase, Recipe


def own_loss(features: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(phi h, y) of the client's own backbone; the pull to the round's model is the engine's."""
    return functional.cross_entropy(heads.logits("phi", features), labels)


RECIPE: Final = Recipe(
    name="ditto",
    title="Ditto",
    paper="Li et al., Ditto: Fair and Robust Federated Learning Through Personalization, ICML 2021",
    phases=(
        *fedavg.PHASES,
        Phase(trains=frozenset({"backbone", "phi"}), loss=own_loss, own_model=True),
    ),
    generic_rules=("psi",),
    personal_rules=("phi",),
    knobs={
        "local_prior": False,
        "generic_rule": "psi",
        "personal_rule": "phi",
        "catch_up_epochs": 0,
        "proximal": 0.1,
    },
)
