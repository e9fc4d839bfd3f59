"""Where MQTT packets end in a stream of bytes: what was delivered of a packet that a cut broke is of no use."""

from dataclasses import dataclass


@dataclass(slots=True)
class Packets:
    """Counts the bytes of packets that have passed whole; one direction of one connection.

    A packet is one byte of type, its remaining length in one to four bytes of seven bits, low bits first, and as many
    bytes (MQTT 3.1.1, 2.2.3).
    """

    _header: bytes = b""
    _left: int = 0
    _size: int = 0

    def feed(self, data: bytes) -> int:
        """Take the next bytes; return the bytes of all packets that end in them."""
        whole, at = 0, 0
        while at < len(data):
            if not self._left:
                self._header += data[at : at + 1]
                at += 1
                if len(self._header) == 1 or self._header[-1] & 0x80:
                    continue
                self._left = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(self._header[1:]))
                self._size = len(self._header) + self._left
                self._header = b""
                if not self._left:
                    whole += self._size
                continue
            step = min(self._left, len(data) - at)
            self._left -= step
            at += step
            if not self._left:
                whole += self._size
        return whole
