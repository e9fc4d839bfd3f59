"""Largest-remainder rounding keeps totals."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rounding import largest_remainder

QUOTAS = st.lists(st.fractions(min_value=0, max_value=5000, max_denominator=20_000), min_size=1, max_size=30)


@given(QUOTAS, st.booleans())
def test_results_sum_to_the_total_and_each_is_its_quota_rounded_down_or_up(quotas: list[Fraction], up: bool) -> None:
    exact = sum(quotas)
    total = floor(exact) + (up and exact.denominator > 1)
    rounded = largest_remainder(quotas, total)
    assert sum(rounded) == total
    assert all(floor(quota) <= whole <= -floor(-quota) for whole, quota in zip(rounded, quotas, strict=True))


@given(QUOTAS)
def test_a_larger_remainder_is_never_passed_over(quotas: list[Fraction]) -> None:
    rounded = largest_remainder(quotas, round(sum(quotas)))
    up = [quota % 1 for whole, quota in zip(rounded, quotas, strict=True) if whole > quota]
    down = [quota % 1 for whole, quota in zip(rounded, quotas, strict=True) if whole < quota]
    assert not up or not down or min(up) >= max(down)


def test_a_tail_of_small_shares_is_not_lost() -> None:
    assert largest_remainder([Fraction(1, 4)] * 8, 2) == [1, 1, 0, 0, 0, 0, 0, 0]


def test_a_total_that_is_not_the_rounded_sum_is_refused() -> None:
    with pytest.raises(ValueError, match="total is 3"):
        largest_remainder([Fraction(1, 2), Fraction(1, 2)], 3)
