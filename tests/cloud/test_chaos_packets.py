from hypothesis import given
from hypothesis import strategies as st

from cloud.chaos.packets import Packets


def packet(length: int) -> bytes:
    """An MQTT packet with so many bytes behind its header."""
    header, left = bytearray(b"\x30"), length
    while True:
        left, low = divmod(left, 128)
        header.append(low | (0x80 if left else 0))
        if not left:
            return bytes(header) + bytes(length)


@given(
    st.lists(st.integers(0, 20_000), max_size=5), st.lists(st.integers(1, 9_000), min_size=1, max_size=20), st.data()
)
def test_whole_packets_are_counted_however_the_stream_is_cut_up(
    lengths: list[int], steps: list[int], data: st.DataObject
) -> None:
    packets = [packet(length) for length in lengths]
    stream = b"".join(packets)
    end = data.draw(st.integers(0, len(stream)))
    counter, at, counted = Packets(), 0, 0
    while at < end:
        step = min(steps[at % len(steps)], end - at)
        counted += counter.feed(stream[at : at + step])
        at += step
    ends = [sum(map(len, packets[: number + 1])) for number in range(len(packets))]
    assert counted == max([0, *(place for place in ends if place <= end)])
