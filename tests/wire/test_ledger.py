"""The ledger in SQL against the recorded bytes: what the database says was moved is what the wire carried."""

from collections import Counter

from cloud.traffic import EVERYBODY
from shared.topics import coordinator_status, parse_lane
from shared.transport import Message
from tests.reference import Reference
from tests.wire.packets import published

FAREWELLS = 500
"""Payload bytes of the last words on both sides, said when the books are closed."""


def coordinators_connection(reference: Reference) -> int:
    topic = coordinator_status("tiny")
    return next(
        number
        for number, stream in enumerate(reference.sent)
        if any(message.topic == topic for message in published([stream]))
    )


def by_client(messages: list[Message]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for message in messages:
        is_lane = "/a/" in message.topic
        counted[parse_lane("tiny", message.topic).client if is_lane else EVERYBODY] += len(message.payload)
    return counted


def test_the_ledger_counts_what_the_coordinators_socket_carried(reference: Reference) -> None:
    number = coordinators_connection(reference)
    store = reference.federation.store
    federation = store.federation()
    assert federation is not None
    for recorded, stream in (
        (federation.bytes_up, reference.received[number]),
        (federation.bytes_down, reference.sent[number]),
    ):
        carried = sum(by_client(published([stream])).values())
        assert 0 <= carried - recorded <= FAREWELLS
        assert len(stream) <= 1.1 * recorded  # small messages' headers; a model's are far below a hundredth


def test_the_ledger_counts_by_client_and_round(reference: Reference) -> None:
    number = coordinators_connection(reference)
    received = by_client(published([reference.received[number]]))
    rounds = reference.federation.store.rounds()
    for client in reference.federation.clients:
        in_rounds = [row.bytes_up[client] for row in rounds]
        assert sum(in_rounds) <= received[client]
        for row, count in zip(rounds, in_rounds, strict=True):
            (part,) = [part for part in row.participants if part.client == client]
            assert part.record is not None
            assert count >= part.record.size_bytes
    assert all(row.bytes_down[EVERYBODY] > 0 for row in rounds)  # the model is broadcast
