"""The proxy is as bad as its profile says, and no worse."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloud.chaos.profiles import PROFILES, UNDISTURBED, Profile
from cloud.chaos.proxy import Proxy
from tests.waiting import wait_until


@contextmanager
def echoing(profile: Profile) -> Iterator[Proxy]:
    """A proxy before a server that says everything back."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with server, Proxy("127.0.0.1", server.getsockname()[1], profile) as proxy:
        yield proxy


def echo(proxy: Proxy, payload: bytes) -> bytes:
    """Send and read back; fewer bytes where the connection broke."""
    got = bytearray()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        sender = threading.Thread(target=_send, args=(connection, payload), daemon=True)
        sender.start()
        try:
            while len(got) < len(payload) and (data := connection.recv(65536)):
                got += data
        except ConnectionError:
            pass
        sender.join(20)
    return bytes(got)


def _send(connection: socket.socket, payload: bytes) -> None:
    try:
        connection.sendall(payload)
    except OSError:
        return


PAYLOAD = bytes(range(256)) * 2048


def test_without_a_fault_every_byte_comes_back_in_order_and_is_counted() -> None:
    with echoing(UNDISTURBED) as proxy:
        assert echo(proxy, PAYLOAD) == PAYLOAD
        ways = (proxy.to_broker, proxy.to_clients)
        wait_until(lambda: all(way.delivered == len(PAYLOAD) for way in ways), "every byte is counted, both ways")


def test_latency_delays_each_way() -> None:
    with echoing(Profile(name="slow", meaning="", one_way_seconds=0.1)) as proxy:
        began = time.monotonic()
        assert echo(proxy, b"ping") == b"ping"
        assert time.monotonic() - began >= 0.2


def test_bandwidth_is_a_ceiling() -> None:
    with echoing(Profile(name="thin", meaning="", bytes_per_second=1 << 20)) as proxy:
        began = time.monotonic()
        assert echo(proxy, PAYLOAD) == PAYLOAD
        assert time.monotonic() - began >= 0.9 * len(PAYLOAD) / (1 << 20)


def test_a_cut_ends_as_many_connections_as_it_says_and_what_it_destroyed_shows() -> None:
    with echoing(Profile(name="cut", meaning="", cut_after_bytes=100_000, cuts=1)) as proxy:
        assert len(echo(proxy, PAYLOAD)) < len(PAYLOAD)
        assert proxy.cuts == 1
        assert echo(proxy, PAYLOAD) == PAYLOAD
        assert proxy.to_clients.delivered < 2 * len(PAYLOAD)


def test_flapping_cuts_everybody_again_and_again() -> None:
    with echoing(Profile(name="flap", meaning="", flap_seconds=0.1, down_seconds=0.1)) as proxy:
        wait_until(lambda: _ended(proxy) and proxy.cuts >= 2, "connections were cut, twice")


def _ended(proxy: Proxy) -> bool:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        try:
            return connection.recv(1) == b""
        except ConnectionError:
            return True


def test_silence_holds_bytes_back_and_loses_none() -> None:
    with echoing(Profile(name="off", meaning="", off_seconds=0.3, on_seconds=0.05)) as proxy:
        wait_until(lambda: _seconds_of_an_echo(proxy) > 0.2, "an echo fell into a silence")


def _seconds_of_an_echo(proxy: Proxy) -> float:
    began = time.monotonic()
    assert echo(proxy, PAYLOAD) == PAYLOAD
    return time.monotonic() - began


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_profile_does_something(profile: Profile) -> None:
    assert profile != Profile(name=profile.name, meaning=profile.meaning)
