"""The final figures of a run: every rule and mask in both protocols, groups, calibration, and who is hurt."""

import statistics
from typing import get_args

import torch
from torch import Tensor

from cloud.lab.figures import GroupFigures, HurtClient, LabFigures, PersonalRuleFigures
from cloud.lab.fleet import Fleet, Seen
from cloud.lab.geometry import geometry_of
from cloud.lab.measuring import Point, personal_accuracies, personal_logits
from cloud.lab.setting import LabSetting
from shared.metrics import Group, GroupRule, accuracy, class_groups, group_accuracy, hurt_clients
from shared.prediction import generic_head
from shared.scores import calibration_error, macro_f1
from shared.settings import MaskRule

MEAN_OF_HEADS = "no shared head: the n_k-weighted mean of the personal heads on the mean backbone"
NOTHING_PERSONAL = "no personal part: the generic model on the local tests"
PRIOR_ONLY = "no trained personal part: the client's own class frequencies"


def final_figures(setting: LabSetting, fleet: Fleet, seen: Seen, point: Point) -> LabFigures:
    """Measure everything once, on the features that are there.

    Args:
        setting: What was run.
        fleet: The clients and their tests.
        seen: The final model's features and personal parts.
        point: The rules in use, already measured.
    """
    recipe, method = fleet.recipe, fleet.settings.method
    chosen, labels = seen.features[fleet.evaluation], fleet.test.labels[fleet.evaluation]
    logits = fleet.generic(seen).logits(chosen)
    generic_rules: dict[str, GroupFigures] = {
        rule: groups_of(generic_head(rule, etf=fleet.etf, psi=seen.model.psi).logits(chosen), labels, fleet, "shares")
        for rule in recipe.generic_rules
    }
    note = ""
    if not recipe.keeps_phi:
        note = PRIOR_ONLY if method.personal_rule.endswith("+prior") else NOTHING_PERSONAL
    hurt = hurt_clients(point.generic, point.personal)
    return LabFigures(
        setting=setting,
        title=recipe.title,
        generic_note="" if recipe.generic_rules else MEAN_OF_HEADS,
        personal_note=note,
        generic_rules=generic_rules,
        generic_by_counts=groups_of(logits, labels, fleet, "counts"),
        macro_f1=macro_f1(logits, labels),
        calibration_error=calibration_error(logits, labels),
        personal_calibration_error=_personal_calibration(fleet, seen),
        personal_groups=_personal_groups(fleet, seen),
        personal_rules=_personal_rules(fleet, seen),
        generic_new_classes=_generic_new_classes(fleet, seen),
        without_new_classes=fleet.without_new_classes,
        hurt=tuple(HurtClient(client=client.client, loss=client.loss) for client in hurt),
        geometry=geometry_of(fleet, seen),
    )


def groups_of(logits: Tensor, labels: Tensor, fleet: Fleet, rule: GroupRule) -> GroupFigures:
    """Return accuracy overall and per group of the classes of all clients together."""
    groups = class_groups(fleet.class_counts, rule)
    return GroupFigures(accuracy=accuracy(logits, labels), **group_accuracy(logits, labels, groups))


def _personal_rules(fleet: Fleet, seen: Seen) -> tuple[PersonalRuleFigures, ...]:
    masks: tuple[MaskRule, ...] = get_args(MaskRule)
    return tuple(
        PersonalRuleFigures(
            rule=rule,
            mask=mask,
            paper=statistics.fmean(personal_accuracies(fleet, seen, rule, mask).values()),
            new_classes=statistics.fmean(personal_accuracies(fleet, seen, rule, mask, new_classes=True).values()),
        )
        for rule in fleet.recipe.personal_rules
        for mask in masks
    )


def _personal_groups(fleet: Fleet, seen: Seen) -> GroupFigures:
    """Return means over clients, each client cut into groups by its own training images."""
    method = fleet.settings.method
    overall: list[float] = []
    by_group: dict[Group, list[float]] = {"head": [], "medium": [], "tail": []}
    for member in fleet.members:
        logits, labels = personal_logits(fleet, seen, member, method.personal_rule, method.mask)
        if not len(labels):
            continue
        overall.append(accuracy(logits, labels))
        found = group_accuracy(logits, labels, class_groups(member.counts))
        for group, values in by_group.items():
            if (value := found[group]) is not None:
                values.append(value)
    means = {group: statistics.fmean(values) if values else None for group, values in by_group.items()}
    return GroupFigures(accuracy=statistics.fmean(overall), **means)


def _personal_calibration(fleet: Fleet, seen: Seen) -> float:
    method = fleet.settings.method
    errors = []
    for member in fleet.members:
        logits, labels = personal_logits(fleet, seen, member, method.personal_rule, method.mask)
        if len(labels):
            errors.append(calibration_error(logits, labels))
    return statistics.fmean(errors)


def _generic_new_classes(fleet: Fleet, seen: Seen) -> float:
    right = fleet.generic(seen).logits(seen.features).argmax(1) == fleet.test.labels
    return statistics.fmean(
        float(right[member.open].to(torch.float64).mean()) for member in fleet.members if len(member.open)
    )
