"""Runs of the lab that take a second or two: a long-tailed part of the digits on three clients."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from cloud.lab.federation import Trained, train
from cloud.lab.measuring import Point
from cloud.lab.run import deal_for
from cloud.lab.setting import LabSetting, federation_of
from shared.data import Splits, read
from shared.shards import Shards


def tiny(**changes: Any) -> LabSetting:
    """A setting on about 240 images of 8 x 8 pixels."""
    values: dict[str, Any] = {
        "imbalance": 100.0,
        "alpha": 0.3,
        "clients": 3,
        "rounds": 2,
        "local_epochs": 1,
        "batch_size": 32,
        "seed": 5,
        "evaluate_every": 1,
    }
    return LabSetting(**(values | changes))


@functools.cache
def digits() -> Splits:
    return read("digits", image_size=None, channels=None, class_names=None)


@functools.cache
def shards_of(method: str) -> Shards:
    return deal_for(tiny(method=method), digits())


@functools.cache
def trained(method: str) -> Trained:
    """A tiny run's federation after its last round, made once per method and test process."""
    setting, shards = tiny(method=method), shards_of(method)
    settings = federation_of(setting, digits(), tuple(shards.class_counts.tolist()))
    # what is computed by hand beside it is in fp32, on any processor
    training = msgspec.structs.replace(settings.training, precision="fp32")
    settings = msgspec.structs.replace(settings, training=training)
    with tempfile.TemporaryDirectory() as folder:
        found = train(settings, shards, folder=Path(folder), evaluate_every=1, told=silent)
        found.store.close()
    return found


def silent(number: int, point: Point | None) -> None:
    """Take what a run tells, and keep it."""
    del number, point
