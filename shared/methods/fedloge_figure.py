"""FedLoGe as the paper's figure shows it: gamma 0.1, no prior, psi' for everybody and phi' for each client."""

from typing import Final

from shared.methods.fedloge import GENERIC, PAPER, PERSONAL, PHASES, personal_loss
from shared.methods.recipe import Recipe

RECIPE: Final = Recipe(
    name="fedloge-figure",
    title="FedLoGe as in the paper's figure",
    paper=PAPER,
    phases=PHASES,
    generic_rules=GENERIC,
    personal_rules=PERSONAL,
    head_loss=personal_loss,
    knobs={
        "gamma": 0.1,
        "local_prior": False,
        "generic_rule": "realigned",
        "personal_rule": "realigned",
        "catch_up_epochs": 0,
    },
)
