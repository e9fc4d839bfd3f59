"""Whatever bytes a peer sends as a control message: a message comes out, or a MessageError; nothing else, ever.

The story: a key that is no UTF-8 raises ``UnicodeDecodeError`` in the decoder, not its own error. One such message
from any client would have ended the coordinator, and one from the coordinator every agent.
"""

import json
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import MessageError
from shared.limits import MAX_MESSAGE_BYTES
from shared.messages import (
    ClientFigures,
    Command,
    CoordinatorPresence,
    CurrentModel,
    Failure,
    FinalReport,
    FinishTask,
    Get,
    Gone,
    Goodbye,
    Manifest,
    ModelReport,
    Offer,
    Presence,
    Receipt,
    TrainTask,
    UpdateOffer,
    Welcome,
    decode_message,
    encode_message,
)
from shared.settings import SharedSettings
from shared.topics import parse_lane

MANIFEST = Manifest(blob="a" * 64, size=2048, chunk=1024, digests=("b" * 32, "c" * 32))
FIGURES = ClientFigures(num_images=3, generic=0.5)
SERVES = CurrentModel(digest="a" * 64, kind="personal", round=1, max_abs_error=1e-6, accuracy=0.5)
SAMPLES: list[Any] = [
    MANIFEST,
    Get(transfer=1, blob="a" * 64, ranges=((0, 2),), credit=2),
    Gone(blob="a" * 64),
    Presence(client="c", state="online", session="s"),
    CoordinatorPresence(state="up", session="s"),
    Welcome(settings=SharedSettings(federation="f", class_names=("a", "b")), etf=MANIFEST),
    TrainTask(round=1, model=MANIFEST, deadline_seconds=3.0),
    FinishTask(round=1, model=MANIFEST, deadline_seconds=3.0),
    Receipt(round=1, blob="a" * 64, accepted=True),
    Goodbye(),
    UpdateOffer(client="c", round=1, base="a" * 64, num_examples=3, payload=MANIFEST, figures=FIGURES),
    FinalReport(client="c", round=1, figures=FIGURES, onnx="a" * 64, head_note="n", current=SERVES),
    Failure(client="c", round=1, reason="r"),
    ModelReport(client="c", current=SERVES),
]
KINDS = [*{type(sample) for sample in SAMPLES}, Command, Offer]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def decodes_or_is_refused(payload: bytes) -> None:
    """Decode as everything there is."""
    for kind in KINDS:
        try:
            message = decode_message(payload, kind)
        except MessageError:
            continue
        assert decode_message(encode_message(message), kind) == message


@settings(max_examples=300)
@given(st.binary(max_size=200))
@example(b"")
@example(b'{"\xff": 1}')
@example(b'"\xff"')
@example(b'{"type": "\xff"}')
@example(b'{"client": "\\ud800", "state": "online", "session": ""}')
@example(b'{"client": "\xed\xa0\x80", "state": "online", "session": ""}')
@example(b"[" * MAX_MESSAGE_BYTES)
@example(b'{"a":' * (MAX_MESSAGE_BYTES // 5))
@example(b'{"type":"train","round":' + b"9" * 5000)
@example(b'{"type":"train","deadline_seconds":1e999}')
@example(b"\x00" * 10)
def test_any_bytes(payload: bytes) -> None:
    decodes_or_is_refused(payload)


@settings(max_examples=200)
@given(JSON)
def test_any_json(value: Any) -> None:
    decodes_or_is_refused(json.dumps(value).encode(errors="surrogatepass"))


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_any_message_with_one_field_replaced_or_added(sample: Any, data: st.DataObject) -> None:
    fields = json.loads(encode_message(sample))
    key = data.draw(st.sampled_from(sorted(fields)) | st.text())
    decodes_or_is_refused(json.dumps(fields | {key: data.draw(JSON)}).encode(errors="surrogatepass"))


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_any_message_with_one_byte_changed_or_its_end_cut(sample: Any, data: st.DataObject) -> None:
    payload = bytearray(encode_message(sample))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decodes_or_is_refused(bytes(payload))
    decodes_or_is_refused(bytes(payload[: data.draw(st.integers(0, len(payload)))]))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_field_that_is_not_ours_is_refused_and_every_message_survives_its_encoding(sample: Any) -> None:
    payload = encode_message(sample)
    assert decode_message(payload, type(sample)) == sample
    extra = json.loads(payload) | {"labels": [1, 2, 3]}
    with pytest.raises(MessageError, match="labels"):
        decode_message(json.dumps(extra).encode(), type(sample))


def test_the_samples_are_all_there_is() -> None:
    assert {*get_args(Command), *get_args(Offer)} <= {type(sample) for sample in SAMPLES}


def test_what_is_larger_than_a_peer_accepts_is_not_even_parsed_and_never_sent() -> None:
    with pytest.raises(MessageError, match="exceeds"):
        decode_message(b" " * (MAX_MESSAGE_BYTES + 1), Goodbye)
    with pytest.raises(MessageError, match="exceeds"):
        encode_message(Failure(client="c" * MAX_MESSAGE_BYTES, round=1, reason=""))


@settings(max_examples=300)
@given(st.text() | st.from_regex(r"fl/v1/[^/]*/a/[^/]*/(up|down)/[a-z]*"))
def test_any_topic(topic: str) -> None:
    try:
        lane = parse_lane("f", topic)
    except MessageError:
        return
    assert topic == f"fl/v1/f/a/{lane.client}/{lane.direction}/{lane.channel}"
