"""FedAvg with personal heads, the local class prior in every loss, and added again in the personal model."""

from typing import Final

from shared.methods.fedavg_heads import PHASES, personal_loss
from shared.methods.recipe import Recipe

RECIPE: Final = Recipe(
    name="fedavg-heads-prior",
    title="FedAvg with personal heads and the local prior",
    paper="FedAvg with balanced softmax (Ren et al., NeurIPS 2020); a linear head per client on its features",
    phases=PHASES,
    generic_rules=("psi",),
    personal_rules=("psi+prior", "phi+prior", "psi+phi+prior", "psi"),
    head_loss=personal_loss,
    knobs={"local_prior": True, "generic_rule": "psi", "personal_rule": "psi+prior"},
)
