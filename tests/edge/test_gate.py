import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from edge.gate import OVERALL_POINTS, TAIL_POINTS, compare, judge
from edge.head_training import parameters, trainable, trained
from shared.heads import Head

COUNTS = torch.tensor([80, 15, 5])
"""Class 2 is the tail: from 95 % of the images on."""


def answers(*right_and_total: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Labels, and answers of which so many per class are right; a wrong one names the next class."""
    labels, said = [], []
    for label, (right, total) in enumerate(right_and_total):
        labels += [label] * total
        said += [label] * right + [(label + 1) % 3] * (total - right)
    return torch.tensor(labels), torch.tensor(said)


def test_an_equal_model_passes() -> None:
    labels, said = answers((70, 80), (10, 15), (4, 5))
    verdict = judge(said, said, labels, train_counts=COUNTS)
    assert verdict.accepted
    assert verdict.overall is not None
    assert verdict.tail is not None
    assert (verdict.overall.lost, verdict.overall.gained, verdict.tail.num_images) == (0, 0, 5)


def test_a_model_that_gains_overall_by_losing_the_tail_is_refused() -> None:
    labels, serving = answers((60, 80), (10, 15), (5, 5))
    _, candidate = answers((80, 80), (15, 15), (0, 5))
    verdict = judge(candidate, serving, labels, train_counts=COUNTS)
    assert verdict.overall is not None
    assert verdict.overall.candidate > verdict.overall.serving + 15
    assert not verdict.accepted
    assert verdict.reason == "worse in the tail: 0 of 5 right, the serving model 5"


def test_a_head_trained_on_shuffled_labels_is_refused() -> None:
    """Two real heads on the same features: one saw the labels, one saw them shuffled."""
    draws = torch.Generator().manual_seed(1)
    centres = 3 * torch.randn(3, 16, generator=draws)
    labels = torch.repeat_interleave(torch.arange(3), COUNTS)
    train = centres[labels] + torch.randn(100, 16, generator=draws)
    held_out = centres[labels] + torch.randn(100, 16, generator=draws)
    honest = fitted(train, labels).logits(held_out).argmax(1)
    shuffled = fitted(train, labels[torch.randperm(100, generator=draws)]).logits(held_out).argmax(1)
    assert judge(honest, honest, labels, train_counts=COUNTS).accepted
    verdict = judge(shuffled, honest, labels, train_counts=COUNTS)
    assert not verdict.accepted
    assert verdict.reason.startswith("worse overall")
    assert judge(honest, shuffled, labels, train_counts=COUNTS).accepted


def fitted(features: Tensor, labels: Tensor) -> Head:
    head = trainable(Head(weight=torch.zeros(3, 16), bias=torch.zeros(3)), torch.device("cpu"))
    optimizer = torch.optim.SGD(parameters(head), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head.logits(features), labels).backward()
        optimizer.step()
    return trained(head)


@given(lost=st.integers(0, 40), gained=st.integers(0, 40), same=st.integers(0, 400), points=st.sampled_from([1.0, 2.0]))
def test_the_bound_is_one_image_or_the_points_or_one_standard_error_whichever_is_most(
    lost: int, gained: int, same: int, points: float
) -> None:
    labels = torch.zeros(lost + gained + same, dtype=torch.int64)
    if not len(labels):
        return
    serving, candidate = torch.zeros_like(labels), torch.zeros_like(labels)
    candidate[:lost] = 1
    serving[lost : lost + gained] = 1
    found = compare(candidate, serving, labels, points=points)
    assert (found.lost, found.gained) == (lost, gained)
    net = lost - gained
    assert found.passed == (net <= 1 or net <= points / 100 * len(labels) or net <= math.sqrt(lost + gained))


@pytest.mark.parametrize(("images", "allowed"), [(10, 1), (100, 1), (1000, 10), (10_000, 100)])
def test_in_a_certain_loss_the_stated_points_decide(images: int, allowed: int) -> None:
    """Every changed answer is a loss: from 100 images on, one more than the stated points is refused."""
    labels = torch.zeros(images, dtype=torch.int64)
    for lost, passes in ((allowed, True), (allowed + 1, False)):
        candidate = (torch.arange(images) < lost).long()
        assert compare(candidate, torch.zeros_like(labels), labels, points=OVERALL_POINTS).passed == passes
    assert OVERALL_POINTS < TAIL_POINTS


def test_without_held_out_images_nothing_is_compared_and_the_verdict_says_so() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    verdict = judge(none, none, none, train_counts=COUNTS)
    assert verdict.accepted
    assert verdict.overall is None
    assert "no held-out images" in verdict.reason


def test_without_a_tail_image_only_the_whole_is_judged() -> None:
    labels, said = answers((70, 80), (10, 15), (0, 0))
    assert judge(said, said, labels, train_counts=COUNTS).tail is None
