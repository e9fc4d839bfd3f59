"""Realignment: Eq. (6) and Eq. (7) as laws."""

import pytest
import torch

from shared.angles import pairwise_angles
from shared.heads import Head
from shared.realign import realign_global, realign_local


def head(seed: int, *, bias: bool = False) -> Head:
    draws = torch.Generator().manual_seed(seed)
    scale = torch.linspace(10, 0.1, 6).unsqueeze(1)  # norms fall from head to tail
    weight = scale * torch.randn(6, 16, generator=draws)
    return Head(weight=weight, bias=torch.randn(6, generator=draws) if bias else None)


def test_global_realignment_gives_every_class_norm_one() -> None:
    assert torch.allclose(realign_global(head(0)).weight.norm(dim=1), torch.ones(6))


def test_global_realignment_keeps_every_direction() -> None:
    psi = head(0)
    assert torch.allclose(pairwise_angles(realign_global(psi).weight), pairwise_angles(psi.weight), atol=1e-4)
    assert bool(((realign_global(psi).weight * psi.weight).sum(1) > 0).all())


def test_global_realignment_twice_is_once() -> None:
    once = realign_global(head(0))
    assert torch.allclose(realign_global(once).weight, once.weight)


def test_global_realignment_does_not_see_how_large_a_class_was() -> None:
    psi = head(0)
    scaled = Head(weight=psi.weight * torch.tensor([[1.0], [2.0], [0.5], [100.0], [0.01], [7.0]]))
    assert torch.allclose(realign_global(scaled).weight, realign_global(psi).weight, atol=1e-6)


def test_local_realignment_is_equation_seven_row_by_row() -> None:
    psi, phi = head(0), head(1)
    realigned = realign_local(psi, phi)
    for row in range(6):
        norm = float(sum(float(x) ** 2 for x in phi.weight[row]) ** 0.5)
        assert torch.allclose(realigned.weight[row], psi.weight[row] * norm, rtol=1e-5)


def test_local_realignment_takes_directions_from_psi_and_only_norms_from_phi() -> None:
    psi, phi = head(0), head(1)
    turned = Head(weight=phi.weight.flip(1))  # other directions, the same norms
    assert torch.allclose(realign_local(psi, turned).weight, realign_local(psi, phi).weight, rtol=1e-5)
    unit = realign_local(realign_global(psi), phi)
    assert torch.allclose(unit.weight.norm(dim=1), phi.weight.norm(dim=1), rtol=1e-5)


@pytest.mark.parametrize("factor", [0.25, 8.0])
def test_local_realignment_scales_with_either_head_and_keeps_the_answer(factor: float) -> None:
    psi, phi, features = head(0), head(1), torch.rand(20, 16)
    base = realign_local(psi, phi)
    for scaled in (
        realign_local(Head(weight=factor * psi.weight), phi),
        realign_local(psi, Head(weight=factor * phi.weight)),
    ):
        assert torch.allclose(scaled.weight, factor * base.weight, rtol=1e-5)
        assert torch.equal(scaled.logits(features).argmax(1), base.logits(features).argmax(1))


def test_rows_of_zeros_stay_zeros() -> None:
    zeros = Head(weight=torch.zeros(6, 16))
    assert torch.equal(realign_global(zeros).weight, zeros.weight)
    assert torch.equal(realign_local(head(0), zeros).weight, zeros.weight)
    assert torch.equal(realign_local(zeros, head(0)).weight, zeros.weight)


def test_a_bias_is_psis_and_stays_unscaled() -> None:
    psi, phi = head(0, bias=True), head(1, bias=True)
    for realigned in (realign_global(psi), realign_local(psi, phi)):
        assert realigned.bias is not None
        assert psi.bias is not None
        assert torch.equal(realigned.bias, psi.bias)
    assert realign_local(head(0), phi).bias is None
