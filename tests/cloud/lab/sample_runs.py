"""Results of the lab that look like real ones, without training anything."""

import random
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from cloud.lab.comparison import Comparison
from cloud.lab.figures import Geometry, GroupFigures, HurtClient, LabFigures, PersonalRuleFigures
from cloud.lab.final import MEAN_OF_HEADS, NOTHING_PERSONAL, PRIOR_ONLY
from cloud.lab.setting import LabSetting
from cloud.lab.summary import grid, summarise
from cloud.result import Result
from shared.methods import RECIPES, Recipe, method_settings
from tests.cloud.demo.sample_result import sample_result

MASKS = ("none", "train-histogram")


def lab_result(
    method: str = "fedloge",
    *,
    seed: int = 0,
    clients: int = 6,
    class_names: list[str] | None = None,
    rounds: int = 4,
    shift: float = 0.0,
    base: LabSetting | None = None,
) -> Result:
    """Build a run of the lab; ``shift`` lowers its GM, the same call gives the same run."""
    draw = random.Random(f"{method}{seed}")
    setting = replace(base or LabSetting(), method=method, seed=seed, clients=clients, rounds=rounds)
    sample = sample_result(num_clients=max(3, clients), class_names=class_names, num_rounds=rounds)
    kept = sample.pm.per_client[:clients]
    lab = _figures(setting, RECIPES[method], draw, [client.client for client in kept], len(_classes(sample)))
    assert sample.gm is not None
    gm = replace(sample.gm, accuracy=sample.gm.accuracy - shift - draw.uniform(0, 0.02), rules={})
    bare = tuple(
        replace(r, accepted=0, selected=0, missing=(), bytes_up=0, bytes_down=0, seconds=0.0) for r in sample.rounds[1:]
    )
    pm = replace(sample.pm, per_client=tuple(replace(c, alone=None) for c in kept))
    return replace(sample, config={"data": "digits"}, rounds=bare, gm=gm, pm=pm, models=(), lab=lab)


def _classes(result: Result) -> tuple[Any, ...]:
    assert result.gm is not None
    return result.gm.per_class


def _figures(
    setting: LabSetting, recipe: Recipe, draw: random.Random, clients: list[str], num_classes: int
) -> LabFigures:
    rules = method_settings(setting.method)
    note = ""
    if not recipe.keeps_phi:
        note = PRIOR_ONLY if rules.personal_rule.endswith("+prior") else NOTHING_PERSONAL
    norms = {
        name: tuple(draw.uniform(0.1, 3) for _ in range(num_classes))
        for name, there in (
            ("etf", "etf" in recipe.generic_rules),
            ("psi", recipe.shares_psi),
            ("phi", recipe.keeps_phi),
        )
        if there
    }
    groups = GroupFigures(accuracy=0.8, head=0.9, medium=0.7, tail=None)
    return LabFigures(
        setting=setting,
        title=recipe.title,
        generic_note="" if recipe.generic_rules else MEAN_OF_HEADS,
        personal_note=note,
        generic_rules=dict.fromkeys(recipe.generic_rules, groups),
        generic_by_counts=groups,
        macro_f1=0.78,
        calibration_error=0.12,
        personal_calibration_error=0.09,
        personal_groups=groups,
        personal_rules=tuple(
            PersonalRuleFigures(rule=rule, mask=mask, paper=0.9, new_classes=0.8 if mask == "none" else 0.7)
            for rule in recipe.personal_rules
            for mask in ("none", "train-histogram")
        ),
        generic_new_classes=0.75,
        without_new_classes=tuple(clients[:1]),
        hurt=tuple(HurtClient(client=name, loss=0.03) for name in clients[:1]),
        geometry=Geometry(
            norms=norms,
            alignment=tuple(draw.uniform(-0.2, 1) for _ in range(num_classes)),
            angle_mean=95.0,
            angle_std=8.0,
            within_between=0.9,
        ),
    )


def comparison(
    methods: Mapping[str, Mapping[int, float]] | None = None, *, seeds: int = 2, base: LabSetting | None = None
) -> Comparison:
    """Build a comparison: ``methods`` gives, by method and seed, how much GM is lowered; a seed left out is missing."""
    wanted = methods or {name: dict.fromkeys(range(seeds), 0.02 * at) for at, name in enumerate(RECIPES)}
    shared = base or LabSetting()
    runs = {
        name: {seed: lab_result(name, seed=seed, shift=shift, base=shared) for seed, shift in own.items()}
        for name, own in wanted.items()
    }
    cells = grid(dict.fromkeys(runs, shared), range(seeds))
    missing = [cell.key() for name, own in cells.items() for seed, cell in own.items() if seed not in runs[name]]
    return Comparison(base=shared, runs=runs, summaries=summarise(runs, range(seeds)), missing=tuple(missing))
