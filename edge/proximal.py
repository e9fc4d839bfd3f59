"""The pull of a client's own model towards the round's global one (Ditto's second term)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from shared.heads import Head
from shared.tensors import Tensors


def pull_to(
    anchor: Tensors, anchor_head: Head | None, *, backbone: nn.Module, head: Head | None, strength: float
) -> Callable[[], None] | None:
    """Return what adds the gradient of ``strength / 2 * ||v - w||^2`` to the parameters' gradients, or None at 0.

    v are the backbone's parameters and phi, w the received global backbone and psi; BatchNorm's statistics are no
    parameters and are not pulled.

    Args:
        anchor: The global backbone's tensors as they came.
        anchor_head: The global head psi, or None where there is none to pull to.
        backbone: The client's own, in training.
        head: phi, in training, or None where it does not train.
        strength: lambda of the objective (Li et al., ICML 2021), at least 0.
    """
    if strength == 0:
        return None
    pairs: list[tuple[Tensor, Tensor]] = [(p, anchor[name].to(p.device)) for name, p in backbone.named_parameters()]
    if head is not None and anchor_head is not None:
        pairs.append((head.weight, anchor_head.weight.to(head.weight.device)))

    def pull() -> None:
        with torch.no_grad():
            for parameter, goal in pairs:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter - goal, alpha=strength)

    return pull
