"""A method as data: which losses train what, what is shared and what stays, and by which rules its models answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional

from shared.heads import Head
from shared.settings import GenericRule, MethodName, PersonalRule

Part: TypeAlias = Literal["backbone", "psi", "phi"]
"""What a phase may move: a backbone, the global head, the personal head."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalHeads:
    """What a loss reads beside features and labels.

    Attributes:
        named: "etf", the frozen classifier S; "psi", the global head; "phi", the personal head; those the method has.
        log_prior: (num_classes,), float32, log pi_k of this client's training images, or None where the method trains
            without it.
    """

    named: Mapping[str, Head]
    log_prior: Tensor | None

    def logits(self, name: str, features: Tensor) -> Tensor:
        """Return one head's logits (B, num_classes) of features (B, feature_dim)."""
        return self.named[name].logits(features)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return CE(logits + log pi_k, y), plain CE without a prior: balanced softmax with the client's own classes.

        Adding the training prior inside the loss leaves logits that stand for p(x | class) (Ren et al., NeurIPS 2020;
        Menon et al., ICLR 2021).
        """
        return functional.cross_entropy(logits if self.log_prior is None else logits + self.log_prior, labels)


Loss: TypeAlias = Callable[[Tensor, Tensor, LocalHeads], Tensor]
"""Features (B, feature_dim), labels (B,) and heads to a scalar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One pass of ``local_epochs`` epochs over the client's images.

    Attributes:
        trains: What the optimiser moves; the rest is read only.
        loss: What it minimises.
        own_model: Whether the backbone is the client's own, which never leaves it, instead of the shared one; its
            weights are pulled to the round's global model by ``MethodSettings.proximal``.
    """

    trains: frozenset[Part]
    loss: Loss
    own_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A federated method; the engine that trains, averages, measures and exports is the same for all.

    Shared parts are averaged with weights n_k: the backbone, and psi where a phase trains it. What a client keeps is
    phi where a phase trains it, and a backbone of its own where a phase says so.

    Attributes:
        name: As in the federation file.
        title: One line for tables and help.
        paper: Where it was published.
        phases: Local training, in order.
        generic_rules: How the generic model may answer, its default first; none for a method without a shared head.
        personal_rules: How personal models may answer, the default first.
        head_loss: What trains phi alone on a backbone that no longer moves, or None.
        phi_adds_up: Whether phi is a correction of other logits and so starts near zero; else a client that was never
            selected starts from psi.
        knobs: Settings of ``MethodSettings`` in which the method differs from the common defaults.
    """

    name: MethodName
    title: str
    paper: str
    phases: tuple[Phase, ...]
    generic_rules: tuple[GenericRule, ...]
    personal_rules: tuple[PersonalRule, ...]
    head_loss: Loss | None = None
    phi_adds_up: bool = False
    knobs: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def shares_psi(self) -> bool:
        """Whether there is a global head."""
        return any("psi" in phase.trains for phase in self.phases)

    @property
    def keeps_phi(self) -> bool:
        """Whether clients have a personal head."""
        return any("phi" in phase.trains for phase in self.phases)

    @property
    def keeps_backbone(self) -> bool:
        """Whether clients have a backbone of their own."""
        return any(phase.own_model for phase in self.phases)
