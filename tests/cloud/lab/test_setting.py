"""A run's key: everything that decides its numbers, and nothing else."""

import msgspec
import pytest

from cloud.lab.setting import LabSetting, client_names, federation_of, method_of
from shared.errors import SettingsError
from tests.cloud.lab.runs import digits

OTHER = {
    "data": "cifar10:a",
    "imbalance": 11.0,
    "alpha": 0.6,
    "clients": 7,
    "participation": 0.5,
    "rounds": 21,
    "local_epochs": 3,
    "batch_size": 17,
    "learning_rate": 0.04,
    "momentum": 0.6,
    "weight_decay": 0.1,
    "backbone": "resnet20",
    "method": "ditto",
    "knobs": {"gamma": 1.0},
    "seed": 1,
    "measured_on": "validation",
    "evaluate_every": 9,
}


def test_every_field_has_another_value_here() -> None:
    assert OTHER.keys() == {field.name for field in msgspec.structs.fields(LabSetting)}


@pytest.mark.parametrize("field", OTHER)
def test_whatever_may_decide_a_number_makes_another_run(field: str) -> None:
    base = LabSetting()
    other = msgspec.structs.replace(base, **{field: OTHER[field]})
    assert getattr(base, field) != getattr(other, field)
    assert base.key() != other.key()


def test_where_the_images_lie_does_not() -> None:
    keys = {LabSetting(data=spec).key() for spec in ("folder:a/faces", "folder:/data/b/faces", "folder:/data/faces/")}
    assert len(keys) == 1
    assert LabSetting(data="folder:a/faces").key() != LabSetting(data="folder:a/places").key()
    assert LabSetting(data="cifar10:a").key() != LabSetting(data="cifar100:a").key()


def test_a_key_does_not_change_between_versions_unless_a_setting_does() -> None:
    """Results of long studies are found again by this name."""
    assert LabSetting(knobs={"gamma": 1.0, "bias": True}).key() == LabSetting(knobs={"bias": True, "gamma": 1.0}).key()
    assert LabSetting().key().startswith("fedloge-0-")
    assert len(LabSetting().key()) == len("fedloge-0-") + 12


def test_names_in_one_width_sort_as_they_count() -> None:
    for count in (1, 9, 11, 101, 1001):
        names = client_names(count)
        assert names == sorted(names)
        assert len(set(names)) == count


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "fedlog"}, "fedlog"),
        ({"knobs": {"gama": 1.0}}, "gama"),
        ({"knobs": {"name": "ditto"}}, "name"),
        ({"knobs": {"gamma": "large"}}, "method.gamma"),
        ({"knobs": {"gamma": -1.0}}, "method.gamma"),
        ({"method": "fedavg", "knobs": {"personal_rule": "phi"}}, "no heads for"),
        ({"method": "ditto", "knobs": {"generic_rule": "etf"}}, "no heads for"),
    ],
)
def test_a_method_or_knob_that_does_not_fit_is_named(changes: dict[str, object], words: str) -> None:
    setting = msgspec.structs.replace(LabSetting(), **changes)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=words):
        method_of(setting)
    with pytest.raises(SettingsError, match=words):
        federation_of(setting, digits(), (10,) * 10)
