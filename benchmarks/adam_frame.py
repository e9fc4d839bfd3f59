"""The sparse frame as the paper's authors make it (Eq. 4): what ``shared.etf`` is measured against.

A random mask over the whole matrix, then 10,000 steps of Adam on ``sum_c (|w_c| - gamma)^2`` minus the mean angle of
every class to its nearest other class. Written from the formula.
"""

import torch
from torch import Tensor
from torch.nn import functional

STEPS, LEARNING_RATE, SPARSITY, ROW_NORM = 10_000, 1e-4, 0.6, 0.1
CLIP = 0.99999


def adam_frame(num_classes: int, feature_dim: int, generator: torch.Generator, steps: int = STEPS) -> Tensor:
    """Return the classifier, (num_classes, feature_dim), float32."""
    orthonormal, _ = torch.linalg.qr(torch.rand(feature_dim, num_classes, generator=generator))  # (d, C)
    centring = torch.eye(num_classes) - 1 / num_classes
    simplex = (num_classes / (num_classes - 1)) ** 0.5 * orthonormal @ centring
    zeros = torch.randperm(simplex.numel(), generator=generator)[: int(SPARSITY * simplex.numel())]
    mask = torch.ones(simplex.numel())
    mask[zeros] = 0.0
    mask = mask.view_as(simplex)
    weights = (simplex * mask).requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=LEARNING_RATE)
    own = torch.eye(num_classes, dtype=torch.bool)
    for _ in range(steps):
        optimizer.zero_grad()
        units = functional.normalize(weights, dim=0)
        nearest = (units.T @ units).masked_fill(own, -1.0).max(dim=1).values
        angles = torch.arccos(nearest.clamp(-CLIP, CLIP))
        loss = (weights.norm(dim=0) - ROW_NORM).square().sum() - angles.mean()
        loss.backward()
        if weights.grad is not None:
            weights.grad.mul_(mask)
        optimizer.step()
    return weights.detach().T.contiguous()
