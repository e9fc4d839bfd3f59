"""The personal head before a client's first round."""

from typing import Final

import torch
from torch import Tensor

from shared.heads import Head
from shared.seeds import generator

SCALE: Final = 0.01
"""Standard deviation of a weight: a norm of 0.08 at 64 features, small beside the 1 to 10 of a trained class."""


def first_head(etf: Tensor, *, bias: bool, seed: int, client: str) -> Head:
    """Draw a small random head, another one for every client.

    Not zeros: psi starts at zero and takes the same steps on the same features, so after a client's first round the
    personal head would be, bit for bit, the part of the update that leaves the device.

    Args:
        etf: The frozen classifier S, (num_classes, feature_dim), for the shape.
        bias: Whether the head has one.
        seed: The federation's.
        client: Seeds the draw.
    """
    weight = SCALE * torch.randn(etf.shape, generator=generator(seed, "first head", client))
    return Head(weight=weight, bias=torch.zeros(etf.shape[0]) if bias else None)
