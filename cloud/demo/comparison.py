"""Three models of one client compared: which is best, and who wins and loses against a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cloud.result import ClientResult, Means

ModelName: TypeAlias = Literal["alone", "generic", "personal"]

MODELS: Final[tuple[ModelName, ...]] = ("alone", "generic", "personal")
"""In the order in which they are shown."""

BASELINE_NAMES: Final[dict[ModelName, str]] = {"alone": "training alone", "generic": "the generic model"}
"""What the personal model is held against, in words."""

TIE: Final = 1e-9
"""Accuracies are ratios of small integers: a smaller difference is rounding, not an image."""


def best_models(figures: ClientResult | Means) -> frozenset[ModelName]:
    """Return the models with the highest accuracy; more than one where they tie, none where fewer than two exist."""
    measured = {name: value for name in MODELS if (value := getattr(figures, name)) is not None}
    if len(measured) < 2:
        return frozenset()
    top = max(measured.values())
    return frozenset(name for name, value in measured.items() if value >= top - TIE)


def difference(figures: ClientResult | Means, baseline: ModelName) -> float | None:
    """Return personal minus baseline accuracy, or None where one of them was not measured."""
    value: float | None = getattr(figures, baseline)
    return None if value is None or figures.personal is None else figures.personal - value


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The personal model against one baseline, client by client; ``gains`` is sorted, largest first."""

    wins: tuple[str, ...]
    ties: tuple[str, ...]
    losses: tuple[str, ...]
    gains: tuple[tuple[float, str], ...]

    @property
    def size(self) -> int:
        """Number of clients that measured both models."""
        return len(self.gains)


def contest(clients: Sequence[ClientResult], baseline: ModelName) -> Contest:
    """Compare the personal model with ``baseline`` on every client that measured both."""
    measured = [(gain, c.client) for c in clients if (gain := difference(c, baseline)) is not None]
    gains = tuple(sorted(measured, key=lambda pair: (-pair[0], pair[1])))
    return Contest(
        wins=tuple(client for gain, client in gains if gain > TIE),
        ties=tuple(client for gain, client in gains if abs(gain) <= TIE),
        losses=tuple(client for gain, client in gains if gain < -TIE),
        gains=gains,
    )
