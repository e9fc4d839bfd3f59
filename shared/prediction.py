"""The named rules by which a generic or a personal model answers, each folded into one head."""

import torch
from torch import Tensor

from shared.heads import Head, add
from shared.realign import realign_global, realign_local
from shared.settings import GenericRule, MaskRule, PersonalRule


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


def generic_head(rule: GenericRule, *, etf: Tensor, psi: Head) -> Head:
    """Return the head of the generic model.

    Args:
        rule: By name.
        etf: The frozen classifier S, (num_classes, feature_dim).
        psi: The auxiliary global head.
    """
    if rule == "etf":
        return Head(weight=etf)
    return psi if rule == "psi" else realign_global(psi)


def personal_head(
    rule: PersonalRule,
    mask: MaskRule,
    *,
    etf: Tensor,
    psi: Head,
    phi: Head,
    class_counts: Tensor,
    smoothing: float,
) -> Head:
    """Return the head of one client's personal model.

    Args:
        rule: Which heads are added up; "etf+prior" answers from S h + log pi_k.
        mask: "train-histogram" allows only classes the client has trained on; a client without images has no mask.
        etf: The frozen classifier S, (num_classes, feature_dim).
        psi: The auxiliary global head.
        phi: The client's personal head.
        class_counts: (num_classes,), int64, the client's training images.
        smoothing: See ``log_prior``.
    """
    parts: dict[str, Head] = {
        "etf": Head(weight=etf),
        "prior": Head(weight=torch.zeros_like(etf), bias=log_prior(class_counts, smoothing)),
        "psi": psi,
        "phi": phi,
        "realigned": realign_local(psi, phi),
    }
    merged = add([parts[name] for name in rule.split("+")])
    keep = class_counts > 0 if mask == "train-histogram" and bool(class_counts.any()) else None
    return Head(weight=merged.weight, bias=merged.bias, keep=keep)
