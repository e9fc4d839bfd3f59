import json
import re
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct

from shared import messages
from shared.chunks import Chunk, encode_chunk, parse_chunk
from shared.errors import MessageError, TransferError
from shared.messages import (
    ClientFigures,
    Command,
    CoordinatorPresence,
    CurrentModel,
    Failure,
    Get,
    Gone,
    Groups,
    Manifest,
    ModelReport,
    Offer,
    Presence,
    decode_message,
)
from shared.transport import Message
from tests.reference import Reference
from tests.wire.packets import published
from tests.wire.readme_table import Row, readme_table

SPOKEN = {
    "coord/status": (CoordinatorPresence,),
    "a/{id}/up/status": (Presence,),
    "a/{id}/down/cmd": get_args(Command),
    "a/{id}/up/manifest": get_args(Offer),
    "a/{id}/up/get": (Get,),
    "a/{id}/down/get": (Get,),
}
"""Which message classes a topic carries, by the code that reads it; chunks alone are no JSON."""

CHUNKS = {"a/{id}/up/c", "a/{id}/down/c", "bcast/c"}

PARTS = (Manifest, ClientFigures, CurrentModel, Groups)
"""Stand inside other messages."""

SERVES = CurrentModel(digest="0" * 64, kind="generic", round=1, max_abs_error=1e-7)

SELDOM = [
    Gone(blob="0" * 64),
    Failure(client="ana", round=1, reason="no memory", current=SERVES),
    ModelReport(client="ana", current=SERVES),
    SERVES,
    msgspec.json.decode(b'{"num_images": 1, "generic_groups": {"head": 0.5}}', type=ClientFigures),
]
"""What an undisturbed federation has no occasion to say."""


@pytest.fixture(scope="module")
def spoken(reference: Reference) -> list[tuple[str, Message, Struct]]:
    """Return every control message of the recorded federation: its topic's form, as it came, as it was read."""
    heard = [(form(message.topic), message) for message in published([*reference.sent, *reference.received])]
    return [(topic, message, read(topic, message)) for topic, message in heard if topic not in CHUNKS]


def form(topic: str) -> str:
    """Return a topic as the README writes it: without the federation, and with any client's name alike."""
    return re.sub(r"^a/(ana|ben|cid)/", "a/{id}/", topic.removeprefix("fl/v1/tiny/"))


def read(topic: str, message: Message) -> Struct:
    """Read a message as the side does that it is for."""
    expected: Any = SPOKEN[topic][0] if len(SPOKEN[topic]) == 1 else (Command if topic.endswith("cmd") else Offer)
    decoded: Struct = decode_message(message.payload, expected)
    return decoded


def classes() -> dict[str, type[Struct]]:
    """Return every message class of ``shared.messages``."""
    found = {name: kind for name, kind in vars(messages).items() if isinstance(kind, type) and issubclass(kind, Struct)}
    return {name: kind for name, kind in found.items() if kind.__module__ == messages.__name__}


def test_every_message_on_the_wire_has_exactly_the_fields_of_its_class(
    spoken: list[tuple[str, Message, Struct]],
) -> None:
    for _, message, decoded in spoken:
        assert json.loads(message.payload) == json.loads(msgspec.json.encode(decoded))  # nested fields, too
    assert {type(decoded) for _, _, decoded in spoken} == {*classes().values()} - {Gone, Failure, ModelReport, *PARTS}


def test_the_readme_lists_every_message_with_its_topics_and_fields() -> None:
    topics = {kind: {topic for topic, kinds in SPOKEN.items() if kind in kinds} for kind in classes().values()}
    expected = {name: Row(frozenset(topics[kind]), kind.__struct_fields__) for name, kind in classes().items()}
    assert readme_table() == expected
    assert {kind for kind, where in topics.items() if not where} == set(PARTS)


def test_the_readme_lists_what_was_on_the_wire(spoken: list[tuple[str, Message, Struct]]) -> None:
    table = readme_table()
    for topic, message, decoded in spoken:
        row = table[type(decoded).__name__]
        assert topic in row.topics
        assert json.loads(message.payload).keys() - {"type"} == set(row.fields)


def test_a_message_with_an_extra_field_is_refused(spoken: list[tuple[str, Message, Struct]]) -> None:
    samples = {type(decoded): decoded for _, _, decoded in spoken} | {type(message): message for message in SELDOM}
    assert samples.keys() >= {*classes().values()} - {Manifest, Groups}  # those two are parts of others here
    for kind, sample in samples.items():
        plain = msgspec.to_builtins(sample)
        assert decode_message(msgspec.json.encode(plain), kind) == sample
        for changed in with_an_extra_field(plain):
            with pytest.raises(MessageError, match="unknown field `phi`"):
                decode_message(msgspec.json.encode(changed), kind)


def with_an_extra_field(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the message with one field more, once for every object in it."""
    changed = [{**plain, "phi": [0.5]}]
    for name, value in plain.items():
        if isinstance(value, dict):
            changed += [{**plain, name: inner} for inner in with_an_extra_field(value)]
    return changed


def test_a_chunk_with_bits_that_mean_nothing_is_refused() -> None:
    honest = encode_chunk(Chunk(7, 0, b"data"))
    assert parse_chunk(honest).data == b"data"
    for at in (1, 2, 3):
        with pytest.raises(TransferError, match="expected zeros"):
            parse_chunk(honest[:at] + b"\x01" + honest[at + 1 :])
