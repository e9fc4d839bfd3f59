"""Masks: so many features per class, two classes or more per feature."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.etf_support import draw_support, smallest_cover, smallest_support


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_row_has_its_share_and_every_feature_two_classes(data: st.DataObject) -> None:
    num_classes = data.draw(st.integers(2, 20))
    feature_dim = data.draw(st.integers(1, 40))
    nonzeros = data.draw(st.integers(smallest_cover(num_classes, feature_dim), feature_dim))
    seed = data.draw(st.integers(0, 1000))
    support = draw_support(num_classes, feature_dim, nonzeros, torch.Generator().manual_seed(seed))
    assert support.dtype == torch.bool
    assert support.sum(1).tolist() == [nonzeros] * num_classes
    assert int(support.sum(0).min()) >= 2


def test_two_classes_need_every_feature_and_a_hundred_need_as_many_as_equations() -> None:
    assert smallest_support(2, 64) == 64
    assert smallest_support(3, 64) == 43
    assert smallest_support(47, 64) == 24
    assert smallest_support(100, 512) == 51
    assert smallest_support(4, 2) == 2
