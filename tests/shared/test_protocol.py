"""Shares that leave something on both sides, and messages that say which would not."""

import pytest

from shared.errors import SettingsError
from shared.protocol import Protocol


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"pool_share": 0.0}, "validation pool is 0.0, must be above 0 and below 1"),
        ({"pool_share": 1.0}, "validation pool"),
        ({"validation_share": 0.6}, "validation split is 0.6, must be from 0 to 0.5"),
        ({"validation_share": -0.1}, "validation split"),
        ({"new_class_share": 1.0}, "new classes is 1.0, must be from 0 and below 1"),
        ({"new_class_share": float("nan")}, "new classes is nan"),
    ],
)
def test_a_share_out_of_range_is_named_with_its_range(shares: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        Protocol(**shares)
    assert error.value.remedy
