"""Class sizes that fall from head to tail."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.images import LabelledImages
from shared.longtail import exponential_counts, make_long_tailed
from tests.shared.draws import global_random_state_untouched


def labelled(counts: list[int]) -> LabelledImages:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    names = tuple(str(c) for c in range(len(counts)))
    return LabelledImages(images=torch.zeros(len(labels), 1, 4, 4, dtype=torch.uint8), labels=labels, class_names=names)


@pytest.mark.parametrize(
    ("num_classes", "largest", "factor", "total"),
    [(10, 5000, 50, 13_996), (10, 5000, 100, 12_406), (100, 500, 50, 12_608), (100, 500, 100, 10_847)],
)
def test_totals_equal_the_published_logs(num_classes: int, largest: int, factor: float, total: int) -> None:
    counts = exponential_counts(torch.full((num_classes,), largest), factor)
    assert int(counts.sum()) == total
    assert counts[0] == largest
    assert counts[-1] == largest // factor


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20), st.floats(1, 500))
def test_a_class_keeps_no_more_than_it_has_and_one_image_if_it_has_any(available: list[int], factor: float) -> None:
    counts = exponential_counts(torch.tensor(available), factor).tolist()
    assert all(min(1, have) <= kept <= have for kept, have in zip(counts, available, strict=True))


def test_a_balanced_factor_keeps_everything() -> None:
    assert exponential_counts(torch.tensor([7, 3, 5]), 1).tolist() == [7, 3, 5]


@pytest.mark.parametrize("factor", [0.01, 0, -3, float("nan"), float("inf")])
def test_a_factor_below_one_is_refused(factor: float) -> None:
    with pytest.raises(SettingsError, match="imbalance factor"):
        exponential_counts(torch.tensor([5, 5]), factor)


def test_the_chosen_images_have_the_counts_and_no_repetition() -> None:
    data = labelled([50, 50, 50])
    indices = make_long_tailed(data, 10, seed=3)
    assert data.select(indices).class_counts().tolist() == [50, 15, 5]
    assert indices.unique(sorted=True).equal(indices)


def test_the_same_seed_chooses_the_same_images_and_a_neighbour_others() -> None:
    data = labelled([400, 400])
    tail = [set(i[data.labels[i] == 1].tolist()) for i in (make_long_tailed(data, 4, seed=s) for s in (5, 5, 6))]
    assert tail[0] == tail[1]
    assert 8 <= len(tail[0] & tail[2]) <= 42  # 25 expected of 100 from 400, standard deviation 3.8


def test_the_global_random_state_is_untouched() -> None:
    with global_random_state_untouched():
        make_long_tailed(labelled([20, 20]), 4, seed=0)
