"""FedLoGe as its authors' code runs it, but for the mask, which reads training images here and test labels there."""

from dataclasses import replace
from typing import Final

from shared.methods import fedloge
from shared.methods.recipe import Recipe

RECIPE: Final[Recipe] = replace(
    fedloge.RECIPE,
    name="fedloge-authors",
    title="FedLoGe as in the authors' code",
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
