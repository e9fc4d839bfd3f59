"""Which of its training images a client keeps to choose by."""

from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.images import LabelledImages
from shared.validation import split_validation, validation_indices
from tests.shared.draws import global_random_state_untouched


def numbered(counts: list[int]) -> LabelledImages:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return LabelledImages(
        images=torch.arange(len(labels)).view(-1, 1, 1, 1).remainder(256).to(torch.uint8),
        labels=labels,
        class_names=tuple(str(c) for c in range(len(counts))),
    )


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    percent=st.integers(0, 50),
    seed=st.integers(0, 2**32),
)
def test_every_class_gives_its_share_within_one_image_and_keeps_one(counts: list[int], percent: int, seed: int) -> None:
    data = numbered(counts)
    chosen = validation_indices(data, share=percent / 100, seed=seed, client="a")
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    given_away = torch.bincount(data.labels[chosen], minlength=len(counts)).tolist()
    quotas = [min(Fraction(percent, 100) * count, max(0, count - 1)) for count in counts]
    assert len(chosen) == round(sum(quotas))
    for count, got, quota in zip(counts, given_away, quotas, strict=True):
        assert abs(got - quota) < 1
        assert count - got >= min(1, count)


def test_the_tail_is_not_asked_for_an_image_of_every_class() -> None:
    # a tenth of 100 + 9 * 2 images is 12: ten of the head, and one of two of the nine small classes
    data = numbered([100] + [2] * 9)
    counts = data.select(validation_indices(data, share=0.1, seed=0, client="a")).class_counts().tolist()
    assert counts[0] == 10
    assert sorted(counts[1:]) == [0] * 7 + [1, 1]


def test_classes_of_one_image_keep_it_and_nobody_gives_more_for_them() -> None:
    data = numbered([20] + [1] * 30)
    assert (
        data.select(validation_indices(data, share=0.2, seed=0, client="a")).class_counts().tolist() == [4] + [0] * 30
    )


def test_the_two_parts_are_the_data() -> None:
    data = numbered([30, 12, 1])
    train, kept = split_validation(data, share=0.2, seed=0, client="a")
    assert sorted(train.images.flatten().tolist() + kept.images.flatten().tolist()) == list(range(43))
    assert kept.class_counts().tolist() == [6, 2, 0]


def test_a_share_of_less_than_half_an_image_keeps_none() -> None:
    assert len(validation_indices(numbered([2, 2]), share=0.1, seed=0, client="a")) == 0


def test_the_share_is_the_decimal_that_was_written() -> None:
    # in binary a tenth is a little more and three tenths a little less: half an image would round the other way
    assert len(validation_indices(numbered([5]), share=0.1, seed=0, client="a")) == 0  # 0.5, to even
    assert len(validation_indices(numbered([5]), share=0.3, seed=0, client="a")) == 2  # 1.5, to even


def test_the_split_belongs_to_seed_and_client_and_to_no_global_state() -> None:
    data = numbered([200])
    with global_random_state_untouched():
        first, again, other, next_seed = (
            set(validation_indices(data, share=0.2, seed=seed, client=client).tolist())
            for seed, client in ((0, "a"), (0, "a"), (0, "b"), (1, "a"))
        )
    assert first == again
    assert len(first & other) < 20  # 8 of 40 expected by chance
    assert len(first & next_seed) < 20
