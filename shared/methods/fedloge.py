"""FedLoGe: a backbone trained through a frozen sparse ETF classifier, beside it a global and a personal head."""

from typing import Final

from torch import Tensor
from torch.nn import functional

from shared.methods.recipe import LocalHeads, Phase, Recipe
from shared.settings import GenericRule, PersonalRule

PAPER: Final = "Xiao et al., FedLoGe: Joint Local and Generic Federated Learning under Long-tailed Data, ICLR 2024"


def local_loss(features: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return the sum of the three losses of stage 1; no tensor that trains is in two of them.

    CE(S h + log pi_k, y) moves the backbone; CE(psi stopgrad(h), y) moves psi; CE(phi stopgrad(h), y) moves phi.

    Deviation: the paper's first term has no log pi_k; ``local_prior = false`` is the paper's.
    """
    detached = features.detach()
    return (
        heads.loss(heads.logits("etf", features), labels)
        + global_loss(detached, labels, heads)
        + personal_loss(detached, labels, heads)
    )


def global_loss(detached: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(psi h, y)."""
    return functional.cross_entropy(heads.logits("psi", detached), labels)


def personal_loss(detached: Tensor, labels: Tensor, heads: LocalHeads) -> Tensor:
    """Return CE(phi h, y)."""
    return functional.cross_entropy(heads.logits("phi", detached), labels)


PHASES: Final = (Phase(trains=frozenset({"backbone", "psi", "phi"}), loss=local_loss),)

GENERIC: Final[tuple[GenericRule, ...]] = ("etf", "psi", "realigned")

PERSONAL: Final[tuple[PersonalRule, ...]] = (
    "etf+prior",
    "etf",
    "psi",
    "phi",
    "realigned",
    "realigned+phi",
    "realigned+psi",
    "psi+phi",
)

RECIPE: Final = Recipe(
    name="fedloge",
    title="FedLoGe with a fitting logit scale and the local prior",
    paper=PAPER,
    phases=PHASES,
    generic_rules=GENERIC,
    personal_rules=PERSONAL,
    head_loss=personal_loss,
)
