import pytest
from paho.mqtt.client import topic_matches_sub

from shared.inbox import Inbox
from shared.memory import MemoryBroker, matches
from shared.transport import Message

FILTERS = ["a", "a/b", "a/+", "+", "+/+", "#", "a/#", "a/b/#", "a/+/c", "+/b/#", "/", "/+", "a/"]
TOPICS = ["a", "a/b", "a/b/c", "b", "a/c/c", "/", "/a", "a/", "a//c"]


@pytest.mark.parametrize("topic_filter", FILTERS)
@pytest.mark.parametrize("topic", TOPICS)
def test_a_filter_matches_what_paho_says_it_matches(topic_filter: str, topic: str) -> None:
    assert matches(topic_filter, topic) == topic_matches_sub(topic_filter, topic)


def test_overlapping_filters_deliver_a_message_once() -> None:
    broker = MemoryBroker()
    reader, writer = broker.connect(filters=["a/#", "a/b"]), broker.connect(filters=[])
    writer.publish("a/b", b"1")
    assert reader.receive(0) == Message("a/b", b"1")
    assert reader.receive(0) is None


def test_a_full_inbox_loses_the_newest_and_says_how_many() -> None:
    inbox = Inbox(size=2)
    for number in range(5):
        inbox.offer(Message("t", bytes([number])))
    assert [inbox.take(0), inbox.take(0), inbox.take(0)] == [Message("t", b"\0"), Message("t", b"\1"), None]
    assert inbox.dropped_messages == 3
    assert inbox.received_bytes["t"] == 2
