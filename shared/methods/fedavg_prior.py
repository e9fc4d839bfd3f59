"""FedAvg with the local class prior inside the loss, and added again where a client asks for its own model."""

from typing import Final

from shared.methods.fedavg import PHASES
from shared.methods.recipe import Recipe

RECIPE: Final = Recipe(
    name="fedavg-prior",
    title="FedAvg with the local prior",
    paper="FedAvg with balanced softmax: Ren et al., NeurIPS 2020; Zhang et al., FedLC, ICML 2022",
    phases=PHASES,
    generic_rules=("psi",),
    personal_rules=("psi+prior", "psi"),
    knobs={"local_prior": True, "generic_rule": "psi", "personal_rule": "psi+prior", "catch_up_epochs": 0},
)
