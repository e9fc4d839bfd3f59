"""Axes: whatever the values, the range holds them and the ticks are round and inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.report.scale import span_ticks, widened


@given(st.lists(st.floats(-150, 150), min_size=1, max_size=20), st.integers(2, 8), st.sampled_from([0.05, 0.1, 5.0]))
def test_a_widened_range_holds_its_values_and_few_ticks(values: list[float], intervals: int, least: float) -> None:
    low, high = widened(values, intervals, least=least)
    assert low <= min(values) + 1e-6
    assert high >= max(values) - 1e-6
    assert high - low >= least - 1e-9
    found = span_ticks(low, high, intervals)
    assert 2 <= len(found) <= intervals + 4
    assert all(low - 1e-6 <= tick <= high + 1e-6 for tick in found)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.75, 1.0, [0.75, 0.8, 0.85, 0.9, 0.95, 1.0]), (-8, 4, [-8, -6, -4, -2, 0, 2, 4])]
)
def test_ticks_of_a_span(low: float, high: float, expected: list[float]) -> None:
    assert span_ticks(low, high, 5) == pytest.approx(expected)
