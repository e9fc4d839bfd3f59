import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud import aggregate
from cloud.aggregate import WeightedMean
from shared.errors import UpdateRejectedError
from shared.tensors import Tensors, encode

BASE = {"backbone.w": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), "psi.weight": torch.zeros(2, 3)}


def update(seed: int) -> Tensors:
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(tensor.shape, generator=random) for name, tensor in BASE.items()}


def folded(weights: list[tuple[int, int]]) -> Tensors:
    mean = WeightedMean(BASE)
    for seed, num_examples in weights:
        mean.add(update(seed), num_examples)
    return mean.result()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 1000)), min_size=1, max_size=6))
@settings(max_examples=30)
def test_it_is_the_definition_written_the_slow_way(weights: list[tuple[int, int]]) -> None:
    total = sum(num_examples for _, num_examples in weights)
    result = folded(weights)
    for name, base in BASE.items():
        for index in range(base.numel()):
            parts = [num_examples * float(update(seed)[name].flatten()[index]) for seed, num_examples in weights]
            expected = float(base.flatten()[index]) + math.fsum(parts) / total
            assert math.isclose(float(result[name].flatten()[index]), expected, rel_tol=1e-6, abs_tol=1e-7)


def test_clients_that_changed_nothing_leave_the_model_as_it_was_to_the_byte() -> None:
    mean = WeightedMean(BASE)
    mean.add({name: torch.zeros_like(tensor) for name, tensor in BASE.items()}, 7)
    assert encode(mean.result()) == encode(BASE)


@pytest.mark.parametrize(
    ("reason", "damage"),
    [
        ("names", lambda delta: delta.pop("psi.weight")),
        ("names", lambda delta: delta.update({"phi.weight": torch.zeros(2, 3)})),
        ("shape", lambda delta: delta.update({"psi.weight": torch.zeros(3, 2)})),
        ("dtype", lambda delta: delta.update({"psi.weight": torch.zeros(2, 3, dtype=torch.float64)})),
        ("not-finite", lambda delta: delta["psi.weight"].fill_(float("nan"))),
        ("not-finite", lambda delta: delta["backbone.w"][0].fill_(float("-inf"))),
    ],
)
def test_a_rejected_update_leaves_no_trace(reason: str, damage: Callable[[Tensors], object]) -> None:
    mean, undisturbed, bad = WeightedMean(BASE), WeightedMean(BASE), update(1)
    for one in (mean, undisturbed):
        one.add(update(2), 5)
    damage(bad)
    with pytest.raises(UpdateRejectedError) as caught:
        mean.add(bad, 3)
    assert caught.value.reason == reason
    assert encode(mean.result()) == encode(undisturbed.result())


def test_an_update_that_breaks_off_in_the_middle_spoils_the_mean_instead_of_bending_it() -> None:
    mean, bad = WeightedMean(BASE), update(1)
    mean.fold(update(2).items(), 5)
    bad["psi.weight"][1, 2] = float("nan")
    with pytest.raises(UpdateRejectedError, match="holds NaN or infinity"):
        mean.fold(bad.items(), 3)
    with pytest.raises(ValueError, match="a part of one"):
        mean.result()


def test_finite_values_whose_sum_overflows_are_finite() -> None:
    huge = {name: torch.full_like(tensor, 3e38) for name, tensor in BASE.items()}
    mean = WeightedMean(BASE)
    mean.add(huge, 2)
    assert torch.isfinite(mean.result()["psi.weight"]).all()


def test_folding_a_tensor_at_a_time_gives_the_same_bytes_whatever_the_order_of_tensors_and_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = folded([(3, 7), (4, 11)])
    monkeypatch.setattr(aggregate, "_BLOCK", 5)
    mean = WeightedMean(BASE)
    for seed, num_examples in ((3, 7), (4, 11)):
        mean.fold(reversed(update(seed).items()), num_examples)
    assert encode(mean.result()) == encode(expected)


def test_no_update_and_no_weight_are_refused() -> None:
    with pytest.raises(ValueError, match="no update"):
        WeightedMean(BASE).result()
    with pytest.raises(ValueError, match="at least 1"):
        WeightedMean(BASE).add(update(1), 0)
