from contextlib import nullcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.intake import check_offer
from cloud.plan import RoundPlan
from shared.errors import UpdateRejectedError
from shared.messages import ClientFigures, Manifest, UpdateOffer

BLOB = "a" * 64
PLAN = RoundPlan(
    round_number=3, base_blob=BLOB, participants=("client-00", "client-01"), quorum=1, deadline_seconds=60.0
)
OFFER = UpdateOffer(
    client="client-00",
    round=3,
    base=BLOB,
    num_examples=10,
    payload=Manifest(blob="b" * 64, size=1000, chunk=1024, digests=("c" * 32,)),
    figures=ClientFigures(num_images=4, generic=0.5, personal=0.75),
)


def check(offer: UpdateOffer, *, sender: str = "client-00") -> None:
    check_offer(offer, sender=sender, plan=PLAN, model_bytes=1000, max_examples=100, codec="safetensors")


def test_a_fitting_offer_passes() -> None:
    check(OFFER)


@pytest.mark.parametrize(
    ("reason", "sender", "change"),
    [
        ("wrong-sender", "client-01", {}),
        ("wrong-round", "client-00", {"round": 2}),
        ("wrong-round", "client-00", {"round": 4}),
        ("not-selected", "client-09", {"client": "client-09"}),
        ("wrong-base", "client-00", {"base": "d" * 64}),
        ("example-count", "client-00", {"num_examples": 101}),
        ("example-count", "client-00", {"num_examples": 0}),
        ("codec", "client-00", {"payload": msgspec.structs.replace(OFFER.payload, codec="fp16")}),
        ("too-large", "client-00", {"payload": msgspec.structs.replace(OFFER.payload, size=2001)}),
    ],
)
def test_every_misfit_has_its_reason(reason: str, sender: str, change: dict) -> None:
    with pytest.raises(UpdateRejectedError) as caught:
        check(msgspec.structs.replace(OFFER, **change), sender=sender)
    assert caught.value.reason == reason


@given(st.text(max_size=20), st.integers(-5, 10), st.integers(-(2**40), 2**40))
def test_nothing_but_a_refusal_or_a_pass(client: str, round_number: int, num_examples: int) -> None:
    offer = msgspec.structs.replace(OFFER, client=client, round=round_number, num_examples=num_examples)
    fits = (client, round_number) == ("client-00", 3) and 1 <= num_examples <= 100
    with nullcontext() if fits else pytest.raises(UpdateRejectedError):
        check(offer)
