"""The digits that scikit-learn ships."""

import sys

import pytest
import torch

from shared.data import read
from shared.errors import DataError
from tests.shared.draws import global_random_state_untouched


def test_the_split_is_balanced_fixed_and_covers_all_digits() -> None:
    from sklearn.datasets import load_digits

    with global_random_state_untouched():
        splits, again = read("digits"), read("digits")
    assert splits.test.class_counts().tolist() == [40] * 10
    assert len(splits.train) + len(splits.test) == 1797
    assert torch.equal(splits.test.images, again.test.images)
    stacked = torch.cat([splits.train.images, splits.test.images]).flatten(1).tolist()
    original = (torch.tensor(load_digits().images) * 255 / 16).round().long().flatten(1).tolist()
    assert sorted(stacked) == sorted(original)


def test_digits_are_grey_bytes_over_the_full_range() -> None:
    splits = read("digits")
    assert (splits.image_size, splits.channels, splits.class_names) == (8, 1, tuple("0123456789"))
    assert splits.train.images.dtype == torch.uint8
    assert (int(splits.train.images.min()), int(splits.train.images.max())) == (0, 255)


def test_digits_come_in_any_size_depth_and_order() -> None:
    names = ("nought", *"9876543210")
    splits = read("digits", image_size=16, channels=3, class_names=names)
    assert splits.train.images.shape[1:] == (3, 16, 16)
    assert splits.test.class_counts().tolist() == [0] + [40] * 10
    assert splits.train.labels.equal(10 - read("digits").train.labels)


def test_a_federation_without_one_of_the_digits_refuses_them() -> None:
    with pytest.raises(DataError, match="digits holds class '9'"):
        read("digits", class_names=tuple("012345678"))


def test_without_scikit_learn_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match="scikit-learn") as error:
        read("digits")
    assert error.value.remedy == "pip install 'fedloge[demo]'"
