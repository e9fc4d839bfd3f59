"""The methods there are, as a list for people and machines."""

from typing import Any

from rich.table import Table

from shared.methods import RECIPES, Recipe, method_settings


def catalogue() -> list[dict[str, Any]]:
    """Return every method with what it shares, what stays, and its rules."""
    return [
        {
            "name": recipe.name,
            "title": recipe.title,
            "paper": recipe.paper,
            "shared": shared_parts(recipe),
            "stays": personal_parts(recipe),
            "generic_rules": list(recipe.generic_rules),
            "personal_rules": list(recipe.personal_rules),
            "personal_rule": method_settings(recipe.name).personal_rule,
        }
        for recipe in RECIPES.values()
    ]


def shared_parts(recipe: Recipe) -> list[str]:
    """Return what is averaged over clients."""
    return ["backbone", "psi"] if recipe.shares_psi else ["backbone"]


def personal_parts(recipe: Recipe) -> list[str]:
    """Return what never leaves a client."""
    return [*(["own backbone"] if recipe.keeps_backbone else []), *(["phi"] if recipe.keeps_phi else [])]


def catalogue_table() -> Table:
    """Return the list for a terminal."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "what it is", "shared", "stays on the device", "paper"):
        table.add_column(heading)
    for recipe in RECIPES.values():
        table.add_row(
            recipe.name,
            recipe.title,
            " + ".join(shared_parts(recipe)),
            " + ".join(personal_parts(recipe)) or "nothing",
            recipe.paper,
        )
    return table
