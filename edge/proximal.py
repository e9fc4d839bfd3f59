"""The pull of a client's own model towards the round's global one (Ditto's second term)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from shared.heads import Head

if TYPE_CHECKING:
    from edge.trainer import LocalModel


def pull_to(
    received: "LocalModel", backbone: nn.Module, leaves: dict[str, Head], strength: float
) -> Callable[[], None] | None:
    """Return what adds the gradient of ``strength / 2 * ||v - w||^2`` to the parameters' gradients, or None at 0.

    v are the backbone's parameters and phi, w the received global backbone and psi; BatchNorm's statistics are no
    parameters and are not pulled.

    Args:
        received: The round's model as it came.
        backbone: The client's own, in training.
        leaves: Heads in training; phi is pulled to psi.
        strength: lambda of the objective (Li et al., ICML 2021), at least 0.
    """
    if strength == 0:
        return None
    pairs: list[tuple[Tensor, Tensor]] = [
        (p, received.backbone[name].to(p.device)) for name, p in backbone.named_parameters()
    ]
    if "phi" in leaves and received.psi is not None:
        pairs.append((leaves["phi"].weight, received.psi.weight.to(leaves["phi"].weight.device)))

    def pull() -> None:
        with torch.no_grad():
            for parameter, anchor in pairs:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter - anchor, alpha=strength)

    return pull
