import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.settings import FederationFile
from shared.complaint import complaint
from shared.join import JoinFile

WHOLE = 'federation = "f"\nclass_names = ["a", "b"]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runds = 3", "runds is no known key; did you mean rounds?"),
        ("[training]\nbatch_sise = 3", "training.batch_sise is no known key; did you mean batch_size?"),
        ("[training]\nxyzzy = 3", "training.xyzzy is no known key"),
        ("[training]\nbatch_size = 'x'", "training.batch_size: expected `int`, got `str`"),
        ("training = 3", "training: expected `object`, got `int`"),
        ("rounds = \nseed = 1", "Invalid value (at line 3, column 10)"),
    ],
)
def test_the_key_comes_first_and_the_one_that_was_meant_after_it(text: str, words: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.toml.decode(WHOLE + text, type=FederationFile)
    assert complaint(caught.value, FederationFile) == words


def test_a_missing_key_is_called_missing() -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(b'{"federation": "f"}', type=JoinFile)
    assert complaint(caught.value, JoinFile) == "url is missing"


@given(st.text())
def test_anything_becomes_one_line(text: str) -> None:
    for kind in (msgspec.ValidationError, ValueError, RecursionError):
        assert "\n" not in complaint(kind(text), FederationFile)
