"""The named rules by which a generic or a personal model answers, each folded into one head."""

from collections.abc import Callable

import torch
from torch import Tensor

from shared.heads import Head, add
from shared.methods import recipe_of
from shared.realign import realign_global, realign_local
from shared.settings import GenericRule, MaskRule, MethodSettings, PersonalRule


def log_prior(class_counts: Tensor, smoothing: float) -> Tensor:
    """Return log pi_c with pi_c = (n_c + a) / (n + a C): the client's class frequencies, none of them zero.

    Args:
        class_counts: (num_classes,), int64, the client's training images n_c.
        smoothing: a, images added to every class, positive.

    Returns:
        (num_classes,), float32.
    """
    smoothed = class_counts.to(torch.float64) + smoothing
    return (smoothed / smoothed.sum()).log().to(torch.float32)


def generic_head(rule: GenericRule, *, etf: Tensor, psi: Head | None) -> Head:
    """Return the head of the generic model.

    Args:
        rule: By name.
        etf: The frozen classifier S, (num_classes, feature_dim).
        psi: The global head, or None where the method has none.

    Raises:
        ValueError: The rule reads a head that is not there.
    """
    if rule == "etf":
        return Head(weight=etf)
    there = _there(psi, rule)
    return there if rule == "psi" else realign_global(there)


def personal_head(
    rule: PersonalRule,
    mask: MaskRule,
    *,
    etf: Tensor,
    psi: Head | None,
    phi: Head | None,
    class_counts: Tensor,
    smoothing: float,
) -> Head:
    """Return the head of one client's personal model.

    Args:
        rule: Which heads are added up, such as "etf+prior" for S h + log pi_k.
        mask: "train-histogram" allows only classes the client has trained on; a client without images has no mask.
        etf: The frozen classifier S, (num_classes, feature_dim).
        psi: The global head, or None where the method has none.
        phi: The client's personal head, likewise.
        class_counts: (num_classes,), int64, the client's training images.
        smoothing: See ``log_prior``.

    Raises:
        ValueError: The rule reads a head that is not there.
    """
    parts: dict[str, Callable[[], Head]] = {
        "etf": lambda: Head(weight=etf),
        "prior": lambda: Head(weight=torch.zeros_like(etf), bias=log_prior(class_counts, smoothing)),
        "psi": lambda: _there(psi, rule),
        "phi": lambda: _there(phi, rule),
        "realigned": lambda: realign_local(_there(psi, rule), _there(phi, rule)),
    }
    merged = add([parts[name]() for name in rule.split("+")])
    keep = class_counts > 0 if mask == "train-histogram" and bool(class_counts.any()) else None
    return Head(weight=merged.weight, bias=merged.bias, keep=keep)


def _there(head: Head | None, rule: str) -> Head:
    if head is None:
        raise ValueError(f"rule {rule!r} reads a head that this method does not have")
    return head


def generic_of(method: MethodSettings, *, etf: Tensor, psi: Head | None) -> Head | None:
    """Return the generic model's head by the method's rule, or None where the method has no generic model."""
    return generic_head(method.generic_rule, etf=etf, psi=psi) if recipe_of(method).generic_rules else None


def personal_of(
    method: MethodSettings, *, etf: Tensor, psi: Head | None, phi: Head | None, class_counts: Tensor
) -> Head:
    """Return one client's personal head by the method's rule and mask; arguments as in ``personal_head``."""
    return personal_head(
        method.personal_rule,
        method.mask,
        etf=etf,
        psi=psi,
        phi=phi,
        class_counts=class_counts,
        smoothing=method.prior_smoothing,
    )
