"""Accuracy, groups and spread on figures that can be checked by hand."""

import pytest
import torch

from shared.metrics import (
    Hurt,
    accuracy,
    balanced_accuracy,
    class_groups,
    group_accuracy,
    hurt_clients,
    per_class_accuracy,
    spread_over_clients,
)

LABELS = torch.tensor([0, 0, 0, 1, 1, 3])
ANSWERS = torch.tensor([0, 0, 1, 1, 2, 3])
LOGITS = torch.nn.functional.one_hot(ANSWERS, 4).float()


def test_accuracy_is_the_share_of_right_answers() -> None:
    assert accuracy(LOGITS, LABELS) == pytest.approx(4 / 6)


def test_the_accuracy_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no image"):
        accuracy(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def test_a_class_without_images_has_no_accuracy() -> None:
    assert per_class_accuracy(LOGITS, LABELS, 4) == [pytest.approx(2 / 3), 0.5, None, 1.0]


def test_groups_are_cut_at_three_quarters_and_nineteen_twentieths_of_all_images() -> None:
    # shares 40, 35 | 15, 5 | 3, 2: a cut that falls between two classes divides them
    assert class_groups(torch.tensor([40, 35, 15, 5, 3, 2])) == ["head", "head", "medium", "medium", "tail", "tail"]


def test_the_class_that_crosses_a_cut_belongs_to_the_upper_group() -> None:
    # shares 60, 30 (crosses 75), 8 (crosses 95), 2
    assert class_groups(torch.tensor([60, 30, 8, 2])) == ["head", "head", "medium", "tail"]


def test_groups_follow_sizes_whatever_the_order_of_the_labels() -> None:
    assert class_groups(torch.tensor([2, 8, 30, 60])) == ["tail", "medium", "head", "head"]


def test_a_class_without_images_is_in_the_tail() -> None:
    assert class_groups(torch.tensor([10, 0])) == ["head", "tail"]
    assert class_groups(torch.tensor([0, 0])) == ["tail", "tail"]


def test_group_accuracy_pools_the_images_of_its_classes() -> None:
    figures = group_accuracy(LOGITS, LABELS, ["head", "head", "medium", "tail"])
    assert figures == {"head": pytest.approx(3 / 5), "medium": None, "tail": 1.0}


def test_the_worst_decile_is_the_mean_of_the_worst_tenth_of_the_clients() -> None:
    spread = spread_over_clients([k / 100 for k in range(20, 0, -1)])
    assert spread.mean == pytest.approx(0.105)
    assert spread.worst_decile == pytest.approx(0.015)
    assert spread.std == pytest.approx((sum((k - 10.5) ** 2 for k in range(1, 21)) / 20) ** 0.5 / 100)


def test_of_few_clients_the_worst_decile_is_the_worst_one() -> None:
    assert spread_over_clients([0.5, 0.9, 0.7]).worst_decile == 0.5
    assert spread_over_clients([0.5]).std == 0.0


def test_a_spread_over_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="no client"):
        spread_over_clients([])


def test_every_class_counts_alike_in_the_balanced_accuracy() -> None:
    assert balanced_accuracy(LOGITS, LABELS) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    from sklearn.metrics import balanced_accuracy_score

    draws = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(300, 6, generator=draws), torch.randint(5, (300,), generator=draws)
    logits[:, 5] = -9.0
    expected = balanced_accuracy_score(labels.numpy(), logits.argmax(1).numpy())
    assert balanced_accuracy(logits, labels) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no image"):
        balanced_accuracy(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def test_the_usual_groups_are_cut_above_a_hundred_and_below_twenty_images() -> None:
    counts = torch.tensor([5000, 101, 100, 20, 19, 0])
    assert class_groups(counts, "counts") == ["head", "head", "medium", "medium", "tail", "tail"]
    assert class_groups(counts, "shares") == class_groups(counts) == ["head", *["tail"] * 5]


def test_the_clients_that_personalisation_hurts_are_named_with_their_loss_the_worst_first() -> None:
    generic = {"a": 0.5, "b": 0.75, "c": 0.5, "d": 0.25, "e": 1.0}
    personal = {"a": 0.25, "b": 0.25, "c": 0.5, "d": 1.0, "e": 0.75}
    assert hurt_clients(generic, personal) == (
        Hurt(client="b", loss=0.5),
        Hurt(client="a", loss=0.25),
        Hurt(client="e", loss=0.25),
    )
    assert hurt_clients({}, {}) == ()


def test_a_client_measured_for_one_model_only_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one model only: \['b'\]"):
        hurt_clients({"a": 0.5, "b": 0.5}, {"a": 0.5})
