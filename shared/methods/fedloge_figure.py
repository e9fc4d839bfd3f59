"""FedLoGe as the paper's figure shows it: gamma 0.1, no prior, psi' for everybody and phi' for each client."""

from dataclasses import replace
from typing import Final

from shared.methods import fedloge
from shared.methods.recipe import Recipe

RECIPE: Final[Recipe] = replace(
    fedloge.RECIPE,
    name="fedloge-figure",
    title="FedLoGe as in the paper's figure",
    knobs={
        "gamma": 0.1,
        "local_prior": False,
        "generic_rule": "realigned",
        "personal_rule": "realigned",
        "catch_up_epochs": 0,
    },
)
