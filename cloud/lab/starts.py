"""Ways in which a client can start on a finished model, each measured on its local test in the paper's protocol."""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from cloud.lab.fleet import Fleet, Member, Seen
from cloud.lab.measuring import personal_logits
from edge.catch_up import adapt_head
from edge.personal import Personal
from edge.starting import never_selected
from shared.features import features_of
from shared.heads import Head, add
from shared.images import LabelledImages
from shared.metrics import accuracy
from shared.prediction import log_prior, personal_head
from shared.settings import PersonalRule

ADAPTED_EPOCHS: Final = (1, 5, 20)
"""Local epochs of an adapted head: what a device does at once, in a minute, and with patience."""

STARTS: Final = ("generic", "prior", *(f"adapted-{epochs}" for epochs in ADAPTED_EPOCHS), "personal")
"""The generic model; the same with the client's class frequencies added; its head adapted to the frozen backbone; and
what the method itself gives the client, by its own rule."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Starting:
    """A finished model, and everybody who can start on it.

    Attributes:
        everybody: The clients that trained and those that did not.
        trained: Those that did.
        seen: The final model on the test images, with the personal parts of those that trained.
    """

    everybody: Fleet
    trained: Fleet
    seen: Seen

    @property
    def adapted_rule(self) -> PersonalRule | None:
        """The rule an adapted head answers by: the method's first that reads phi; None where it adapts no head."""
        recipe = self.everybody.recipe
        if recipe.head_loss is None:
            return None
        return next((rule for rule in recipe.personal_rules if "phi" in rule.split("+")), None)

    def of(self, member: Member, images: LabelledImages) -> dict[str, float | None]:
        """Return one client's accuracy by way to start, None where the method has no such start.

        A client that trained starts from its own head, one that never did from what ``never_selected`` gives. The
        backbone runs once over the client's training images and not again over the test images.

        Args:
            member: One of everybody, with at least one test image.
            images: Its training images.
        """
        fleet, model = self.everybody, self.seen.model
        generic = self.trained.generic(self.seen)
        prior = log_prior(member.counts, fleet.settings.method.prior_smoothing)
        with_prior = add([generic, Head(weight=torch.zeros_like(fleet.etf), bias=prior)])
        own = self.seen.personal.get(member.client)
        start = own
        if start is None:
            start = never_selected(model, etf=fleet.etf, settings=fleet.settings, client=member.client)
        features = features_of(model.backbone, images, fleet.settings.model, torch.device("cpu"))  # (N, feature_dim)
        adapted = {
            f"adapted-{epochs}": self._answer(member, self._adapted(member, start, features, images.labels, epochs))
            for epochs in ADAPTED_EPOCHS
        }
        if own is None:
            start = self._adapted(member, start, features, images.labels, fleet.settings.method.catch_up_epochs)
        return {
            "generic": self._on_test(member, generic),
            "prior": self._on_test(member, with_prior),
            **adapted,
            "personal": self._personal(member, start),
        }

    def _adapted(self, member: Member, start: Personal, features: Tensor, labels: Tensor, epochs: int) -> Personal:
        """Return the personal part with its head adapted, or as it is where the method adapts none."""
        if start.phi is None or self.everybody.recipe.head_loss is None:
            return start
        phi = adapt_head(
            start.phi,
            features,
            labels,
            psi=self.seen.model.psi,
            etf=self.everybody.etf,
            settings=self.everybody.settings,
            epochs=epochs,
            client=member.client,
        )
        return replace(start, phi=phi)

    def _answer(self, member: Member, personal: Personal) -> float | None:
        """Return the accuracy of an adapted head by the rule for it, all classes allowed."""
        rule, fleet = self.adapted_rule, self.everybody
        if rule is None:
            return None
        head = personal_head(
            rule,
            "none",
            etf=fleet.etf,
            psi=self.seen.model.psi,
            phi=personal.phi,
            class_counts=member.counts,
            smoothing=fleet.settings.method.prior_smoothing,
        )
        return self._on_test(member, head)

    def _on_test(self, member: Member, head: Head) -> float:
        return accuracy(head.logits(self.seen.features[member.paper]), self.everybody.test.labels[member.paper])

    def _personal(self, member: Member, personal: Personal) -> float:
        """Return the accuracy of the method's personal model, by its own rule and mask, on its own backbone if any."""
        method = self.everybody.settings.method
        seen = replace(self.seen, personal={member.client: personal})
        logits, labels = personal_logits(self.everybody, seen, member, method.personal_rule, method.mask)
        return accuracy(logits, labels)
