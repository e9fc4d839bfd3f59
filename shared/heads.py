"""Linear heads over pooled features, and what a model answers from: weight, bias and mask in one value."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MASKED_LOGIT = -1.0e4
"""Logit of a class the mask forbids: below any real one, yet finite in fp16 (whose minimum is -65504)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """What turns features into logits: ``h @ weight.T + bias``, then the mask.

    Attributes:
        weight: (num_classes, feature_dim), float32.
        bias: (num_classes,), float32, or None.
        keep: (num_classes,), bool, the classes that may be answered, or None for all.
    """

    weight: Tensor
    bias: Tensor | None = None
    keep: Tensor | None = None

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (N, num_classes) of features (N, feature_dim); the mask acts on logits, never on weights."""
        logits = functional.linear(features, self.weight, self.bias)
        return logits if self.keep is None else logits.masked_fill(~self.keep, MASKED_LOGIT)


def add(heads: Sequence[Head]) -> Head:
    """Return the head whose logits are the sum of the others' before any mask: sums of linear heads are linear.

    Raises:
        ValueError: No head was given, or one carries a mask.
    """
    if not heads or any(head.keep is not None for head in heads):
        raise ValueError("add takes one or more heads without a mask")
    biases = [head.bias for head in heads if head.bias is not None]
    return Head(
        weight=torch.stack([head.weight for head in heads]).sum(0),
        bias=torch.stack(biases).sum(0) if biases else None,
    )
