"""``digits``: the 1,797 handwritten digits of 8x8 pixels that scikit-learn ships, so nothing is downloaded."""

import torch

from shared.data.splits import Splits
from shared.errors import DataError
from shared.images import LabelledImages
from shared.seeds import generator

TEST_IMAGES_PER_CLASS = 40
"""400 test images, 22 % of all, balanced; 134 to 143 per class are left to train on."""

_SPLIT_SEED = 0
"""Fixed: the test split belongs to the data set, not to an experiment's seed."""


def read_digits() -> Splits:
    """Return the digits, grey, 8x8, their 17 levels scaled to 0..255.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra: only this SPEC needs it
    except ImportError as cause:
        raise DataError(
            "the digits data needs scikit-learn, which is not installed", remedy="pip install 'fedloge[demo]'"
        ) from cause
    bunch = load_digits()
    levels = torch.tensor(bunch.images, dtype=torch.float64)  # (1797, 8, 8), 0..16
    images = (levels * (255 / 16)).round().to(torch.uint8).unsqueeze(1)
    names = tuple(str(digit) for digit in range(10))
    data = LabelledImages(images=images, labels=torch.tensor(bunch.target, dtype=torch.int64), class_names=names)

    random = generator(_SPLIT_SEED, "digits-test-split")
    is_test = torch.zeros(len(data), dtype=torch.bool)
    for digit in range(10):
        members = (data.labels == digit).nonzero().flatten()
        is_test[members[torch.randperm(len(members), generator=random)][:TEST_IMAGES_PER_CLASS]] = True
    return Splits(
        train=data.select((~is_test).nonzero().flatten()),
        test=data.select(is_test.nonzero().flatten()),
        class_names=names,
        image_size=8,
        channels=1,
    )
