"""One point of the learning curve: the generic model on the balanced images, every client on its local test."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from cloud.lab.fleet import Fleet, Member, Seen
from shared.heads import Head
from shared.metrics import accuracy
from shared.prediction import personal_head
from shared.settings import MaskRule, PersonalRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Accuracies, 0..1.

    Attributes:
        gm: Of the generic model on the balanced images.
        generic: Of the generic model on each client's local test; clients without a test image are left out.
        personal: Of each client's personal model on the same images.
    """

    gm: float
    generic: Mapping[str, float]
    personal: Mapping[str, float]


def measure_point(fleet: Fleet, seen: Seen) -> Point:
    """Measure the rules in use, in the paper's protocol."""
    head = fleet.generic(seen)
    labels = fleet.test.labels
    logits = head.logits(seen.features)  # (T, num_classes)
    method = fleet.settings.method
    return Point(
        gm=accuracy(logits[fleet.evaluation], labels[fleet.evaluation]),
        generic={m.client: accuracy(logits[m.paper], labels[m.paper]) for m in fleet.members if len(m.paper)},
        personal=personal_accuracies(fleet, seen, method.personal_rule, method.mask),
    )


def personal_accuracies(
    fleet: Fleet, seen: Seen, rule: PersonalRule, mask: MaskRule, *, new_classes: bool = False
) -> dict[str, float]:
    """Return each client's accuracy by one rule, on its local test with or without images of new classes."""
    found = {}
    for member in fleet.members:
        logits, labels = personal_logits(fleet, seen, member, rule, mask, new_classes=new_classes)
        if len(labels):
            found[member.client] = accuracy(logits, labels)
    return found


def personal_logits(
    fleet: Fleet, seen: Seen, member: Member, rule: PersonalRule, mask: MaskRule, *, new_classes: bool = False
) -> tuple[Tensor, Tensor]:
    """Return one client's personal logits (M, num_classes) and labels (M,) on its local test."""
    head = head_of(fleet, seen, member, rule, mask)
    own = seen.own.get(member.client)
    everything = head.logits(seen.features[member.open] if own is None else own)
    labels = fleet.test.labels[member.open]
    if new_classes:
        return everything, labels
    known = member.counts[labels] > 0
    return everything[known], labels[known]


def head_of(fleet: Fleet, seen: Seen, member: Member, rule: PersonalRule, mask: MaskRule) -> Head:
    """Return one client's head by a rule."""
    return personal_head(
        rule,
        mask,
        etf=fleet.etf,
        psi=seen.model.psi,
        phi=seen.personal[member.client].phi,
        class_counts=member.counts,
        smoothing=fleet.settings.method.prior_smoothing,
    )
