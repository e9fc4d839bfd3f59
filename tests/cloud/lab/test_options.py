"""The lab's options are a setting's, in name, default and place."""

import inspect
from typing import Any

import pytest

from cloud.lab.options import COMMON, asks_for_setting
from cloud.lab.setting import LabSetting
from shared.errors import UsageError


def test_every_default_is_the_settings_own() -> None:
    setting = LabSetting()
    assert {name: default for name, (_, default, _) in COMMON.items()} == {
        name: getattr(setting, name) for name in COMMON
    }


def test_no_field_of_a_setting_is_without_an_option() -> None:
    @asks_for_setting(one_run=True, evaluate_every=5)
    def command(*, setting: Any) -> None:
        del setting

    assert set(inspect.signature(command).parameters) == set(LabSetting.__struct_fields__)


def test_the_options_stand_where_the_setting_stood_and_make_it() -> None:
    seen = []

    @asks_for_setting(one_run=False, clients=12)
    def command(*, before: int = 1, setting: Any, after: int = 2) -> None:
        seen.append((before, setting, after))

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["before", *COMMON, "after"]
    command(**{name: option.default for name, option in parameters.items()})
    assert seen == [(1, LabSetting(clients=12), 2)]


def test_a_value_that_does_not_fit_is_one_line() -> None:
    @asks_for_setting(one_run=False)
    def command(*, setting: Any) -> None:
        raise AssertionError(setting)

    values = {name: default for name, (_, default, _) in COMMON.items()}
    with pytest.raises(UsageError, match="measured_on"):
        command(**values | {"measured_on": "train"})
