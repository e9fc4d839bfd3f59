"""The same on real images: CIFAR-10 as class folders of JPEGs, named by FEDLOGE_CIFAR10."""

import os
import time

import pytest

from shared.data import Splits, read
from shared.shards import deal

CIFAR10 = os.environ.get("FEDLOGE_CIFAR10", "")

pytestmark = pytest.mark.skipif(not CIFAR10, reason="FEDLOGE_CIFAR10 names no folder of CIFAR-10 images")


@pytest.fixture(scope="module")
def splits() -> Splits:
    return read(f"folder:{CIFAR10}/test")


def test_ten_thousand_jpegs_are_read_in_seconds(splits: Splits) -> None:
    started = time.process_time()
    again = read(f"folder:{CIFAR10}/test", image_size=32, channels=3)
    assert time.process_time() - started < 15  # 1.8 s on one core; the rest is for slow machines
    assert again.train.images.equal(splits.train.images)
    assert (splits.image_size, splits.channels) == (32, 3)
    assert splits.train.class_counts().tolist() == [1000] * 10
    assert splits.class_names[0] == "airplane"


def test_pixels_look_like_photographs(splits: Splits) -> None:
    mean = splits.train.images.float().mean(dim=(0, 2, 3)) / 255
    assert mean.tolist() == pytest.approx([0.49, 0.48, 0.45], abs=0.02)  # the published CIFAR-10 means


def test_they_can_be_dealt(splits: Splits) -> None:
    shards = deal(splits, clients=[f"agent-{n}" for n in range(8)], imbalance_factor=100, alpha=0.5, seed=0)
    assert shards.class_counts[0] == 800
    assert shards.class_counts[9] == 8
    assert shards.evaluation.class_counts().tolist() == [200] * 10
