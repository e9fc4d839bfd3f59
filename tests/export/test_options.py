"""One table says what goes with what; what it does not allow is refused with its reason, never adjusted."""

from typing import get_args

import msgspec
import pytest

from export.options import (
    TABLE,
    TOLERANCES,
    GraphOptions,
    Input,
    Output,
    Precision,
    Provider,
    check_options,
    rows,
)
from shared.errors import ExportError


def test_every_value_of_every_option_has_exactly_one_row() -> None:
    expected = [("precision", value) for value in get_args(Precision)]
    expected += [("input", value) for value in get_args(Input)] + [("output", value) for value in get_args(Output)]
    expected += [("top_k", "none"), ("top_k", "k"), ("batch", "any"), ("batch", "n")]
    assert sorted((row.option, row.value) for row in TABLE) == sorted(expected)
    assert {row.option for row in TABLE} == set(GraphOptions.__struct_fields__)
    assert TOLERANCES.keys() == set(get_args(Precision))


def test_a_row_that_excludes_anything_says_why() -> None:
    for row in TABLE:
        others = set(get_args(Precision)) - set(row.precisions) if row.option != "precision" else set()
        if others or set(row.providers) != set(get_args(Provider)):
            assert len(row.why) > 20, row


def test_a_combination_has_one_row_per_option() -> None:
    for options in (GraphOptions(), GraphOptions(precision="int8", input="uint8-nhwc", top_k=2, batch=4)):
        assert [row.option for row in rows(options)] == list(GraphOptions.__struct_fields__)


@pytest.mark.parametrize(
    ("options", "provider", "says"),
    [
        (GraphOptions(precision="int8"), "cuda", "no int8 convolution"),
        (GraphOptions(precision="int8"), "tensorrt", "symmetric"),
        (GraphOptions(input="uint8-nhwc"), "tensorrt", "no float64"),
    ],
)
def test_what_a_provider_cannot_do_is_refused_with_the_reason(
    options: GraphOptions, provider: Provider, says: str
) -> None:
    check_options(options, provider="cpu")
    with pytest.raises(ExportError, match=says) as caught:
        check_options(options, provider=provider)
    assert "cpu" in caught.value.remedy


def test_top_k_beyond_what_may_be_answered_is_refused() -> None:
    check_options(GraphOptions(top_k=5), provider="cpu", allowed_classes=5)
    with pytest.raises(ExportError, match="only 4 classes"):
        check_options(GraphOptions(top_k=5), provider="cpu", allowed_classes=4)


@pytest.mark.parametrize("text", ['{"precision": "int4"}', '{"top_k": 0}', '{"batch": 0}', '{"opset": 20}'])
def test_options_that_do_not_exist_do_not_parse(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=GraphOptions)
