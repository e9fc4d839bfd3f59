"""Held-out images of a device whose folder has no test split."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.data import held_out
from shared.images import LabelledImages
from tests.shared.draws import global_random_state_untouched


def numbered(counts: list[int]) -> LabelledImages:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    images = torch.arange(len(labels), dtype=torch.int64).to(torch.uint8).view(-1, 1, 1, 1)
    return LabelledImages(images=images, labels=labels, class_names=tuple(str(c) for c in range(len(counts))))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_the_two_parts_are_the_data_and_every_class_keeps_an_image_to_train_on(
    counts: list[int], share: float, seed: int
) -> None:
    data = numbered(counts)
    train, rest = held_out(data, share=share, seed=seed, client="a")
    assert sorted(train.images.flatten().tolist() + rest.images.flatten().tolist()) == list(range(len(data)))
    for count, kept, out in zip(counts, train.class_counts().tolist(), rest.class_counts().tolist(), strict=True):
        assert kept + out == count
        assert kept >= min(1, count)
        assert out >= (count > 1)


def test_the_share_is_taken_of_each_class() -> None:
    _, rest = held_out(numbered([100, 10, 2, 1, 0]), seed=0, client="a")
    assert rest.class_counts().tolist() == [20, 2, 1, 0, 0]


def test_the_split_belongs_to_seed_and_client_and_to_no_global_state() -> None:
    data = numbered([200])
    with global_random_state_untouched():
        first, again, other, next_seed = (
            set(held_out(data, seed=seed, client=client)[1].images.flatten().tolist())
            for seed, client in ((0, "a"), (0, "a"), (0, "b"), (1, "a"))
        )
    assert first == again
    assert len(first & other) < 20  # 8 of 40 expected by chance
    assert len(first & next_seed) < 20
