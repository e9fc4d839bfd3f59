"""Every method as a recipe under its name; one engine trains, averages, measures and exports them all."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.errors import SettingsError
from shared.methods import (
    ditto,
    fedavg,
    fedavg_heads,
    fedavg_heads_prior,
    fedavg_prior,
    fedloge,
    fedloge_authors,
    fedloge_figure,
    fedrep,
    fedrod,
)
from shared.methods.recipe import LocalHeads, Loss, Part, Phase, Recipe
from shared.settings import MethodSettings

__all__ = ["RECIPES", "LocalHeads", "Loss", "Part", "Phase", "Recipe", "check_method", "method_settings", "recipe_of"]

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        module.RECIPE.name: module.RECIPE
        for module in (
            fedloge,
            fedloge_figure,
            fedloge_authors,
            fedavg,
            fedavg_prior,
            fedavg_heads,
            fedavg_heads_prior,
            fedrod,
            ditto,
            fedrep,
        )
    }
)
"""By name, the default first."""


def recipe_of(method: MethodSettings) -> Recipe:
    """Return the recipe a federation trains by."""
    return RECIPES[method.name]


def method_settings(name: str, **changes: Any) -> MethodSettings:
    """Return a method's settings: the common defaults, then the recipe's knobs, then what is asked for.

    Raises:
        SettingsError: The name or a knob is unknown.
    """
    if name not in RECIPES:
        raise SettingsError(f"method {name!r} is unknown", remedy=f"use one of: {', '.join(RECIPES)}")
    unknown = sorted(changes.keys() - set(MethodSettings.__struct_fields__))
    if unknown:
        near = difflib.get_close_matches(unknown[0], MethodSettings.__struct_fields__, n=1)
        raise SettingsError(
            f"method has no knob {unknown[0]!r}" + (f"; did you mean {near[0]}?" if near else ""),
            remedy=f"use some of: {', '.join(MethodSettings.__struct_fields__)}",
        )
    knobs: dict[str, Any] = {"name": name, **RECIPES[name].knobs, **changes}
    return MethodSettings(**knobs)


def check_method(method: MethodSettings) -> None:
    """Refuse prediction rules that a method has no heads for.

    Raises:
        SettingsError: Names the key and the rules there are.
    """
    recipe = recipe_of(method)
    for key, rule, known in (
        ("generic_rule", method.generic_rule, recipe.generic_rules),
        ("personal_rule", method.personal_rule, recipe.personal_rules),
    ):
        if known and rule not in known:
            raise SettingsError(
                f"method.{key} is {rule!r}, which {recipe.name} has no heads for",
                remedy=f"use one of: {', '.join(known)}; or leave the key out",
            )
