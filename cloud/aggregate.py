"""The weighted mean of updates: theta <- theta + sum_k n_k delta_k / sum_k n_k, summed in float64."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cloud.intake import check_update
from shared.tensors import Tensors


class WeightedMean:
    """Folds updates one by one: memory is one float64 copy of the model, however many clients there are.

    Law: fed in client order, the result does not depend on the order of arrival, to the byte.

    Args:
        base: The round's shared tensors, float32.
    """

    def __init__(self, base: Mapping[str, Tensor]) -> None:
        self._base = base
        self._sums = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in base.items()}
        self.num_examples = 0

    def add(self, delta: Mapping[str, Tensor], num_examples: int) -> None:
        """Fold one update in; on error nothing has changed.

        Args:
            delta: Change of each tensor since the round began, shapes as in the base.
            num_examples: Examples the client trained on, its weight; at least 1.

        Raises:
            UpdateRejectedError: A name, shape, dtype or value does not fit.
        """
        check_update(delta, like=self._base)
        if num_examples < 1:
            raise ValueError(f"num_examples is {num_examples}, must be at least 1")
        for name, tensor in delta.items():
            self._sums[name].add_(tensor, alpha=num_examples)
        self.num_examples += num_examples

    def result(self) -> Tensors:
        """Return the new shared tensors, float32.

        Raises:
            ValueError: No update was added.
        """
        if self.num_examples == 0:
            raise ValueError("the mean of no update is undefined")
        return {
            name: (tensor.to(torch.float64) + self._sums[name] / self.num_examples).to(tensor.dtype)
            for name, tensor in self._base.items()
        }
