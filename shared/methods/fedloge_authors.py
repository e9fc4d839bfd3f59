"""FedLoGe as its authors' code runs it, but for the mask, which reads training images here and test labels there."""

from typing import Final

from shared.methods.fedloge import GENERIC, PAPER, PERSONAL, PHASES, personal_loss
from shared.methods.recipe import Recipe

RECIPE: Final = Recipe(
    name="fedloge-authors",
    title="FedLoGe as in the authors' code",
    paper=PAPER,
    phases=PHASES,
    generic_rules=GENERIC,
    personal_rules=PERSONAL,
    head_loss=personal_loss,
    knobs={
        "gamma": 0.1,
        "local_prior": False,
        "bias": True,
        "generic_rule": "realigned",
        "personal_rule": "realigned+phi",
        "mask": "train-histogram",
        "catch_up_epochs": 0,
    },
)
