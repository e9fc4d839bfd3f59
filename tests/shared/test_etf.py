"""The sparse frame: exact wherever a mask allows it, reported where it is not."""

from functools import cache

import pytest
import torch
from torch import Tensor

from shared.angles import classes_per_feature, nonzeros_per_row, pairwise_angles, row_norms, simplex_angle
from shared.errors import SettingsError
from shared.etf import EtfReport, sparse_etf
from tests.shared.draws import global_random_state_untouched

EXACT = [(2, 64), (3, 64), (10, 64), (47, 64), (100, 512)]


@cache
def made(num_classes: int, feature_dim: int, seed: int = 0, sparsity: float = 0.6) -> tuple[Tensor, EtfReport]:
    draws = torch.Generator().manual_seed(seed)
    return sparse_etf(num_classes, feature_dim, row_norm=3.0, sparsity=sparsity, generator=draws)


@pytest.mark.parametrize(("num_classes", "feature_dim"), EXACT)
def test_all_angles_are_the_simplex_angle(num_classes: int, feature_dim: int) -> None:
    etf, report = made(num_classes, feature_dim)
    angles = pairwise_angles(etf)
    assert report.exact
    assert float(angles.var(correction=0)) <= 1e-6
    assert float((angles - simplex_angle(num_classes)).abs().max()) < 0.01


@pytest.mark.parametrize(("num_classes", "feature_dim"), [*EXACT, (100, 64)])
def test_norms_zeros_and_coverage_hold_exact_or_not(num_classes: int, feature_dim: int) -> None:
    etf, report = made(num_classes, feature_dim)
    assert etf.shape == (num_classes, feature_dim)
    assert etf.dtype == torch.float32
    assert float((row_norms(etf) - 3.0).abs().max()) < 1e-5
    assert nonzeros_per_row(etf).unique().tolist() == [report.nonzeros]
    assert int(classes_per_feature(etf).min()) >= 2


@pytest.mark.parametrize(("num_classes", "feature_dim"), [(10, 64), (47, 64), (100, 512), (100, 64)])
def test_the_sparsity_asked_for_is_used_where_it_can_be(num_classes: int, feature_dim: int) -> None:
    _, report = made(num_classes, feature_dim)
    assert report.nonzeros == round(0.4 * feature_dim)
    assert "lowered" not in report.note


@pytest.mark.parametrize(("num_classes", "nonzeros"), [(2, 64), (3, 43)])
def test_few_classes_lower_the_sparsity_and_the_report_says_so(num_classes: int, nonzeros: int) -> None:
    _, report = made(num_classes, 64)
    assert report.nonzeros == nonzeros
    assert report.asked_sparsity == 0.6
    assert report.sparsity == 1 - nonzeros / 64
    assert "lowered from 0.60" in report.note


def test_sixty_two_classes_on_sixty_four_features_are_exact_with_fewer_zeros() -> None:
    _, report = made(62, 64)
    assert report.exact
    assert 26 < report.nonzeros <= 40


def test_a_hundred_classes_on_sixty_four_features_are_as_far_apart_as_the_features_allow() -> None:
    etf, report = made(100, 64)
    angles = pairwise_angles(etf)
    assert not report.exact
    assert "not exact" in report.note
    # Rankin: beyond d + 1 points the smallest angle is at most 90 degrees; equal cosines alone give 75 here
    assert 89.5 < float(angles.min()) <= 90.001
    assert report.min_angle == float(angles.min())
    assert report.mean_angle == float(angles.mean())
    assert report.angle_variance == float(angles.var(correction=0))


def test_a_sparsity_too_high_for_its_mask_is_lowered_until_the_frame_exists() -> None:
    _, report = made(10, 64, 0, 0.99)
    assert report.exact
    assert report.nonzeros >= 13


@pytest.mark.parametrize("seed", range(1, 5))
def test_exactness_is_not_a_matter_of_the_seed(seed: int) -> None:
    assert made(10, 64, seed)[1].exact
    assert made(47, 64, seed)[1].exact


def test_the_generator_determines_every_byte_and_the_global_state_none() -> None:
    with global_random_state_untouched():
        again, _ = sparse_etf(10, 64, row_norm=3.0, sparsity=0.6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again, made(10, 64)[0])
    assert not torch.equal(again, made(10, 64, 1)[0])


def test_the_norm_scales_and_nothing_else() -> None:
    small, report = sparse_etf(10, 64, row_norm=0.1, sparsity=0.6, generator=torch.Generator().manual_seed(0))
    assert report.row_norm == 0.1
    assert torch.allclose(30 * small, made(10, 64)[0], rtol=1e-6)


@pytest.mark.parametrize(("num_classes", "feature_dim"), [(2, 1), (3, 2), (4, 3)])
def test_the_smallest_spaces_hold_their_simplex(num_classes: int, feature_dim: int) -> None:
    assert made(num_classes, feature_dim)[1].exact


@pytest.mark.parametrize(("num_classes", "feature_dim"), [(1, 64), (10, 0)])
def test_one_class_or_no_feature_is_refused(num_classes: int, feature_dim: int) -> None:
    with pytest.raises(SettingsError, match="at least 2 classes"):
        sparse_etf(num_classes, feature_dim, row_norm=1.0, sparsity=0.6, generator=torch.Generator())
