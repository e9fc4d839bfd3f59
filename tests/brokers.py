"""Brokers to test against: in memory, the embedded one and a real mosquitto, behind one small interface."""

import base64
import hashlib
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from cloud.embedded import EmbeddedBroker
from shared.endpoint import Endpoint
from shared.errors import BrokerError
from shared.lifeline import end, spawn
from shared.memory import MemoryBroker, MemoryTransport
from shared.mqtt import MqttTransport, connect
from shared.transport import Transport
from tests.waiting import wait_until

Will = tuple[str, bytes] | None


class BrokerUnderTest(Protocol):
    """What the contract tests need of a broker."""

    def join(self, client_id: str, filters: Sequence[str], will: Will = None) -> Transport: ...

    def restart(self) -> None:
        """Kill the broker and start it again at the same place, its memory lost."""

    def abandon(self, transport: Transport) -> None:
        """Let a client die without a goodbye."""


class Memory:
    def __init__(self) -> None:
        self._broker = MemoryBroker()

    def join(self, client_id: str, filters: Sequence[str], will: Will = None) -> Transport:
        assert client_id
        return self._broker.connect(filters=filters, will=will)

    def restart(self) -> None:
        self._broker.restart()

    def abandon(self, transport: Transport) -> None:
        assert isinstance(transport, MemoryTransport)
        transport.abandon()


class _Process:
    """A broker in a process of its own."""

    endpoint: Endpoint

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """End it by SIGKILL."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def join(self, client_id: str, filters: Sequence[str], will: Will = None) -> MqttTransport:
        return connect(self.endpoint, client_id=client_id, filters=filters, will=will)

    def restart(self) -> None:
        self.kill()
        self.start()

    def abandon(self, transport: Transport) -> None:
        assert isinstance(transport, MqttTransport)
        transport._client._reconnect_on_failure = False
        sock = transport._client.socket()
        assert sock is not None
        sock.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: not transport._online.is_set(), "the client notices its dead socket")


class Embedded(_Process):
    """The amqtt child process that the coordinator starts."""

    def start(self) -> None:
        self.broker = EmbeddedBroker()
        self.endpoint = self.broker.start(self.folder)

    def kill(self) -> None:
        process = self.broker._process
        assert process is not None
        process.kill()
        process.wait()
        self.stop()

    def stop(self) -> None:
        self.broker.stop()


class Mosquitto(_Process):
    """A mosquitto on a random port of the loopback interface, with one account and nothing kept on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.endpoint = Endpoint(f"mqtt://127.0.0.1:{port}", "federation", secrets.token_urlsafe(12))
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "mosquitto.conf"
        passwords = folder / "passwords"
        passwords.write_text(_password_line(self.endpoint))
        lines = [
            f"listener {port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            "persistence false",
            "set_tcp_nodelay true",
            *options,
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # it would give up root's rights, and with them its files
        self._config.write_text("\n".join(lines) + "\n")
        super().__init__(folder)

    def start(self) -> None:
        program = find_mosquitto()
        assert program is not None
        self.process = spawn([program, "-c", self._config], log_path=self.folder / "mosquitto.log")
        wait_until(self._serves, "mosquitto serves")

    def _serves(self) -> bool:
        assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
        try:
            connect(self.endpoint, client_id="probe", filters=[]).close()
        except BrokerError:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()
        self.stop()

    def stop(self) -> None:
        end(self.process)


def find_mosquitto() -> str | None:
    """Return the program's path; distributions install it outside a user's search path."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def require_mosquitto() -> None:
    """Skip the test without mosquitto, or fail it where services are required."""
    if find_mosquitto() is not None:
        return
    if os.environ.get("FEDLOGE_REQUIRE_SERVICES") == "1":
        pytest.fail("FEDLOGE_REQUIRE_SERVICES=1, but mosquitto is not installed")
    pytest.skip("mosquitto is not installed")


def _password_line(endpoint: Endpoint) -> str:
    """Return a line of mosquitto's password file: PBKDF2 with SHA-512, as `mosquitto_passwd` writes it."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", str(endpoint.password).encode(), salt, 101, 64)
    return f"{endpoint.username}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"
