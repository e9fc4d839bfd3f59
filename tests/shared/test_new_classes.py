"""Test images of classes a client never trained on."""

from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.new_classes import new_class_indices
from tests.shared.draws import global_random_state_untouched


def evenly(sizes: list[int], wanted: int) -> list[int]:
    """Deal one image at a time to the class that has fewest and still has one: the slow obvious way, up to ties."""
    dealt = [0] * len(sizes)
    for _ in range(min(wanted, sum(sizes))):
        open_classes = [c for c in range(len(sizes)) if dealt[c] < sizes[c]]
        dealt[min(open_classes, key=lambda c: dealt[c])] += 1
    return sorted(dealt)


@given(
    trained=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    own=st.integers(0, 60),
    percent=st.integers(0, 90),
    data=st.data(),
)
def test_new_images_are_of_absent_classes_only_and_as_even_as_the_images_allow(
    trained: list[int], own: int, percent: int, data: st.DataObject
) -> None:
    tests = data.draw(st.lists(st.integers(0, 30), min_size=len(trained), max_size=len(trained)))
    labels = torch.repeat_interleave(torch.arange(len(tests)), torch.tensor(tests))
    chosen = new_class_indices(torch.tensor(trained), labels, own=own, share=percent / 100, seed=5, client="a")
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    got = torch.bincount(labels[chosen], minlength=len(tests)).tolist()
    absent = [c for c, count in enumerate(trained) if count == 0]
    assert sum(got) == sum(got[c] for c in absent)
    wanted = round(Fraction(own * percent, 100 - percent))
    assert sorted(got[c] for c in absent) == evenly([tests[c] for c in absent], wanted)


def test_a_fifth_of_the_test_is_new_where_images_suffice() -> None:
    labels = torch.arange(1000) % 10
    chosen = new_class_indices(torch.tensor([9] * 6 + [0] * 4), labels, own=120, share=0.2, seed=0, client="a")
    assert len(chosen) / (120 + len(chosen)) == 0.2
    assert torch.bincount(labels[chosen], minlength=10)[6:].tolist() in (
        [8, 8, 7, 7],
        [8, 7, 8, 7],
        [8, 7, 7, 8],
        [7, 8, 8, 7],
        [7, 8, 7, 8],
        [7, 7, 8, 8],
    )


def test_a_client_with_all_classes_gets_none() -> None:
    assert len(new_class_indices(torch.ones(4), torch.arange(40) % 4, own=20, share=0.2, seed=0, client="a")) == 0


def test_which_class_gets_one_more_is_drawn_and_not_always_the_head() -> None:
    labels = torch.arange(100) % 10
    counts = torch.tensor([1] + [0] * 9)
    first = {
        int(labels[new_class_indices(counts, labels, own=4, share=0.2, seed=0, client=f"client-{k}")])
        for k in range(40)
    }
    assert len(first) > 5


def test_the_images_belong_to_seed_and_client_and_to_no_global_state() -> None:
    labels = torch.zeros(1000, dtype=torch.int64)
    labels[:500] = 1
    with global_random_state_untouched():
        first, again, other, next_seed = (
            set(new_class_indices(torch.tensor([0, 1]), labels, own=160, share=0.2, seed=seed, client=client).tolist())
            for seed, client in ((0, "a"), (0, "a"), (0, "b"), (1, "a"))
        )
    assert first == again
    assert len(first) == 40
    assert len(first & other) < 15  # 3.2 expected by chance
    assert len(first & next_seed) < 15
