"""What a few runs say about a mean."""

import statistics
import sys

import pytest
import torch

from shared.errors import SettingsError
from shared.intervals import interval, paired_difference

TABLE = {1: 12.706, 2: 4.303, 4: 2.776, 9: 2.262}
"""Student's two-sided 95 % quantile by degrees of freedom, as every statistics book prints it."""


@pytest.mark.parametrize("degrees", TABLE)
def test_the_interval_is_the_text_books(degrees: int) -> None:
    values = [float(k * k) for k in range(degrees + 1)]
    found = interval(values)
    half = TABLE[degrees] * statistics.stdev(values) / (degrees + 1) ** 0.5
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.std == pytest.approx(statistics.stdev(values))
    assert found.high - found.mean == pytest.approx(half, rel=2e-4)
    assert found.mean - found.low == pytest.approx(half, rel=2e-4)
    assert found.runs == degrees + 1


def test_nineteen_in_twenty_intervals_hold_the_truth() -> None:
    draws = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    intervals = [interval([5 + value for value in row]) for row in draws]
    held = sum(found.low <= 5 <= found.high for found in intervals) / len(intervals)
    assert held == pytest.approx(0.95, abs=0.02)  # four standard deviations


def test_a_single_run_has_no_interval_and_proves_nothing() -> None:
    found = interval([0.5])
    assert (found.mean, found.std, found.low, found.high, found.runs) == (0.5, None, None, None, 1)
    assert not found.above_zero()


def test_the_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no run"):
        interval([])
    with pytest.raises(ValueError, match="no run"):
        paired_difference({0: 1.0}, {1: 1.0})


def test_what_seeds_have_in_common_cancels_out() -> None:
    first = {0: 40.0, 1: 50.0, 2: 60.0}
    second = {2: 59.0, 1: 49.1, 0: 38.9, 7: 0.0}
    found = paired_difference(first, second)
    assert (found.runs, found.mean) == (3, pytest.approx(1.0))
    assert found.above_zero()
    assert interval(list(first.values())).low < interval([59.0, 49.1, 38.9]).high  # unpaired they overlap
    assert not paired_difference(second, first).above_zero()


def test_without_scipy_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(SettingsError, match="need scipy") as error:
        interval([1.0, 2.0])
    assert error.value.remedy == "pip install 'fedloge[lab]'"
