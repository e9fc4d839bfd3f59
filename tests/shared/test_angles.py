"""Angles, norms, zeros: each against a frame whose figures are known by heart."""

import math

import pytest
import torch

from shared.angles import classes_per_feature, nonzeros_per_row, pairwise_angles, row_norms, simplex_angle

FRAME = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])


def test_angles_of_axes_opposites_and_a_diagonal() -> None:
    expected = torch.tensor([90.0, 180.0, 45.0, 90.0, 45.0, 135.0], dtype=torch.float64)
    assert torch.allclose(pairwise_angles(FRAME), expected, atol=1e-6)


def test_angles_do_not_depend_on_lengths() -> None:
    scaled = FRAME * torch.tensor([[1e-3], [1.0], [7.0], [1e3]])
    assert torch.allclose(pairwise_angles(scaled), pairwise_angles(FRAME), atol=1e-5)


def test_norms_zeros_and_coverage() -> None:
    assert row_norms(FRAME).tolist() == pytest.approx([2.0, 3.0, 1.0, math.sqrt(2)])
    assert nonzeros_per_row(FRAME).tolist() == [1, 1, 1, 2]
    assert classes_per_feature(FRAME).tolist() == [3, 2, 0]


def test_simplex_angles_known_by_heart() -> None:
    assert [round(simplex_angle(c), 3) for c in (2, 3, 4, 10, 100)] == [180.0, 120.0, 109.471, 96.379, 90.579]
