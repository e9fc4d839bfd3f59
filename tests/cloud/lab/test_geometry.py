"""Geometry against a collapse made by hand: what is perfect reads as perfect, and each departure shows where it is."""

import math

import pytest
import torch
from torch import Tensor

from cloud.lab.fleet import Fleet, Member, Seen
from cloud.lab.geometry import geometry_of
from edge.personal import Personal
from shared.heads import Head
from shared.images import LabelledImages
from shared.methods import method_settings
from shared.model import SharedModel
from shared.settings import SharedSettings

NUM_CLASSES, PER_CLASS = 4, 3
LABELS = torch.arange(NUM_CLASSES).repeat_interleave(PER_CLASS)


def simplex() -> Tensor:
    """Unit vectors (C, C) with cosine -1/(C - 1) between any two."""
    return math.sqrt(NUM_CLASSES / (NUM_CLASSES - 1)) * (torch.eye(NUM_CLASSES) - 1 / NUM_CLASSES)


def collapsed(etf: Tensor, features: Tensor, *phis: Tensor) -> tuple[Fleet, Seen]:
    """A fleet of one client per personal head, measured on features that are given."""
    images = LabelledImages(
        images=torch.zeros(len(LABELS), 1, 4, 4, dtype=torch.uint8), labels=LABELS, class_names=("a", "b", "c", "d")
    )
    everything = torch.arange(len(LABELS))
    names = [f"client-{number}" for number in range(len(phis))]
    fleet = Fleet(
        settings=SharedSettings(federation="x", class_names=images.class_names, method=method_settings("fedloge")),
        etf=etf,
        test=images,
        evaluation=everything,
        class_counts=torch.full((NUM_CLASSES,), 10),
        members=tuple(
            Member(client=n, counts=torch.ones(4).long(), paper=everything, open=everything, validation=None)
            for n in names
        ),
        without_new_classes=(),
    )
    model = SharedModel(backbone={}, psi=Head(weight=2 * etf))
    personal = {name: Personal(phi=Head(weight=phi)) for name, phi in zip(names, phis, strict=True)}
    return fleet, Seen(model=model, features=features, personal=personal, own={})


def test_a_perfect_collapse_has_simplex_angles_no_spread_within_and_rows_along_the_means() -> None:
    found = geometry_of(*collapsed(3 * simplex(), 5 * simplex()[LABELS] + 1.0))
    assert found.angle_mean == pytest.approx(math.degrees(math.acos(-1 / (NUM_CLASSES - 1))), abs=1e-3)
    assert found.angle_std == pytest.approx(0, abs=1e-3)
    assert found.within_between == pytest.approx(0, abs=1e-9)
    assert found.alignment == pytest.approx([1.0] * NUM_CLASSES)


def test_norms_are_those_of_the_rows_and_the_personal_ones_are_means_over_clients() -> None:
    etf, one, three = 3 * simplex(), simplex(), 3 * simplex()
    three[0] *= 2
    found = geometry_of(*collapsed(etf, simplex()[LABELS], one, three))
    assert found.norms["etf"] == pytest.approx([3.0] * 4)
    assert found.norms["psi"] == pytest.approx([6.0] * 4)
    assert found.norms["phi"] == pytest.approx([(1 + 6) / 2, 2, 2, 2])


def test_spread_within_classes_counts_against_the_spread_between_them() -> None:
    features = simplex()[LABELS].clone()
    step = torch.tensor([0.3, 0.0, -0.3]).repeat(NUM_CLASSES)[:, None] * torch.tensor([1.0, -1.0, 0.0, 0.0])
    found = geometry_of(*collapsed(simplex(), features + step))
    within = 2 * (0.3**2 * 2) / 3  # two of three images leave their mean by 0.3 in two coordinates
    assert found.within_between == pytest.approx(within / 1.0, rel=1e-5), "the means lie at distance 1 from the centre"
    assert found.angle_std == pytest.approx(0, abs=1e-3), "the means did not move"


def test_a_head_whose_rows_are_exchanged_is_aligned_with_the_wrong_means() -> None:
    fleet, seen = collapsed(simplex()[[1, 0, 2, 3]], simplex()[LABELS])
    assert geometry_of(fleet, seen).alignment == pytest.approx([-1 / 3, -1 / 3, 1, 1])


def test_what_all_rows_of_a_head_share_answers_nothing_and_turns_no_angle() -> None:
    fleet, seen = collapsed(simplex() + 1.0, simplex()[LABELS])
    assert geometry_of(fleet, seen).alignment == pytest.approx([1.0] * NUM_CLASSES)


def test_two_classes_at_one_place_have_no_angle_between_them() -> None:
    features = simplex()[torch.tensor([0, 0, 2, 3])[LABELS]]
    fleet, seen = collapsed(simplex(), features)
    assert geometry_of(fleet, seen).angle_std > 30
