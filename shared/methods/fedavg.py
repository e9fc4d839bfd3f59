"""FedAvg: one model for everybody, trained end to end; its personal model is the same one."""

from typing import Final

from torch import Tensor

from shared.methods.recipe import LocalHeads, Phase, Recipe

PAPER: Final = "McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017"


def local_loss(features: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(psi h, y), with log pi_k inside where the method has the prior; it moves the backbone and psi."""
    return heads.loss(heads.logits("psi", features), labels)


PHASES: Final = (Phase(trains=frozenset({"backbone", "psi"}), loss=local_loss),)

RECIPE: Final = Recipe(
    name="fedavg",
    title="FedAvg",
    paper=PAPER,
    phases=PHASES,
    generic_rules=("psi",),
    personal_rules=("psi",),
    knobs={"local_prior": False, "generic_rule": "psi", "personal_rule": "psi", "catch_up_epochs": 0},
)
