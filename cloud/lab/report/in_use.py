"""Which rules a run answers by, and whether its models are what their names say."""

from dataclasses import dataclass

from cloud.lab.figures import LabFigures, PersonalRuleFigures
from shared.errors import FedlogeError
from shared.methods import method_settings
from shared.settings import MethodSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """The rules of a run; None where a file of another version names a method this program does not have."""

    method: MethodSettings | None

    def personal(self, figures: PersonalRuleFigures) -> bool:
        """Tell whether the personal models answer by this rule and mask."""
        method = self.method
        return method is not None and (figures.rule, figures.mask) == (method.personal_rule, method.mask)

    def generic(self, rule: str) -> bool:
        """Tell whether the generic model answers by this rule."""
        return self.method is not None and self.method.generic_rule == rule


def rules_of(lab: LabFigures) -> InUse:
    """Return the rules in use."""
    try:
        return InUse(method=method_settings(lab.setting.method, **lab.setting.knobs))
    except (FedlogeError, TypeError):  # the latter of a knob this program does not know
        return InUse(method=None)


def in_use(lab: LabFigures) -> PersonalRuleFigures | None:
    """Return the figures of the personal rule in use."""
    rules = rules_of(lab)
    return next((figures for figures in lab.personal_rules if rules.personal(figures)), None)
