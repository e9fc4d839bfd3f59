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
    assert inbox.received_bytes["t"] == 5  # the network carried them all


def test_a_flood_on_one_topic_leaves_room_for_the_others() -> None:
    inbox = Inbox(max_bytes=100, max_topic_bytes=30)
    for _ in range(10):
        inbox.offer(Message("flood/c", bytes(10)))
    inbox.offer(Message("honest/c", bytes(10)))
    assert inbox.dropped_messages == 7
    assert [message.topic for message in iter(lambda: inbox.take(0), None)] == ["flood/c"] * 3 + ["honest/c"]
    inbox.offer(Message("flood/c", bytes(30)))  # what was read is no longer held against it
    assert inbox.take(0) == Message("flood/c", bytes(30))


def test_a_reader_that_is_woken_returns_without_a_message() -> None:
    inbox = Inbox()
    inbox.wake()
    assert inbox.take(60) is None
