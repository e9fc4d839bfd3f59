"""The device is CUDA where there is one, and a wish that cannot be met is an error."""

import pytest
import torch

from edge.devices import choose_device
from shared.errors import SettingsError


@pytest.mark.parametrize(("available", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch, available: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert choose_device("auto").type == expected
    assert choose_device().type == expected


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_cuda_is_not_promised_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0").index == 0
    with pytest.raises(SettingsError, match="cuda:1"):
        choose_device("cuda:1")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="abacus"):
        choose_device("abacus")
