"""The embedded broker seen from the coordinator: started, watched and ended as a child process."""

import importlib.util
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from cloud.broker import HOST
from cloud.broker_account import Account, draw_account, read_account
from shared.blobs import write_durably
from shared.endpoint import Endpoint
from shared.errors import BrokerError
from shared.lifeline import end, spawn
from shared.limits import CONNECT_SECONDS, PARENT_DEATH_SECONDS
from shared.mqtt import connect

_RELEASE_SECONDS: Final = PARENT_DEATH_SECONDS + 3.0
"""Wait for a killed coordinator's broker to release the port: its lifeline's time and a margin."""

_POLL_SECONDS: Final = 0.05


class EmbeddedBroker:
    """One broker on the loopback interface, for the life of this process at most."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, state_dir: Path, port: int | None = None) -> Endpoint:
        """Start the broker and wait until it serves.

        Port and credentials are drawn at the first start, kept in ``broker.json`` and reused, so agents find the broker
        again after a crash.

        Args:
            state_dir: Holds ``broker.json`` (0600) and ``broker.log``; created when missing.
            port: Use this one; None keeps the one on file, or draws one.

        Raises:
            BrokerError: The port is taken, ``broker.json`` is damaged, or the broker does not come up.
            ArtifactError: The state directory cannot be written.
        """
        _require_amqtt()
        path, log_path = state_dir / "broker.json", state_dir / "broker.log"
        account = _settle_account(path, port)
        self._process = spawn([sys.executable, "-m", "cloud.broker", path], log_path=log_path)
        endpoint = Endpoint(f"mqtt://{HOST}:{account.port}", account.username, account.password, "3.1.1")
        try:
            self._await_service(endpoint, log_path)
        except BrokerError:
            self.stop()
            raise
        return endpoint

    def alive(self) -> bool:
        """Tell whether the broker runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the broker; idempotent."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def _await_service(self, endpoint: Endpoint, log_path: Path) -> None:
        """Return once the broker lets its own account in."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while self.alive():
            try:
                connect(endpoint, client_id=f"probe-{secrets.token_hex(4)}", filters=[]).close()
            except BrokerError as error:
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"the embedded broker did not come up: {error}", remedy=f"see {log_path}"
                    ) from error
                time.sleep(_POLL_SECONDS)
            else:
                return
        raise BrokerError("the embedded broker ended at its start", remedy=f"see {log_path}")


def _require_amqtt() -> None:
    """Say here, and not in the child's log, that the broker is not installed."""
    if importlib.util.find_spec("amqtt") is None:
        raise ModuleNotFoundError("No module named 'amqtt'", name="amqtt")


def _settle_account(path: Path, port: int | None) -> Account:
    """Return the account on file with a port that is free, or draw one."""
    if not path.exists():
        if port is not None and not _is_free(port):
            raise _taken(port, path)
        account = draw_account(_free_port() if port is None else port)
        write_durably(path, msgspec.json.encode(account), mode=0o600)
        return account
    account = read_account(path)
    if port is not None and port != account.port:
        account = Account(port=port, username=account.username, password=account.password)
        write_durably(path, msgspec.json.encode(account), mode=0o600)
    deadline = time.monotonic() + _RELEASE_SECONDS
    while not _is_free(account.port):
        if time.monotonic() > deadline:
            raise _taken(account.port, path)
        time.sleep(_POLL_SECONDS)
    return account


def _taken(port: int, path: Path) -> BrokerError:
    return BrokerError(
        f"port {port} is taken",
        remedy=f"end the process that holds it, or remove {path} to draw another port and join anew",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does: TIME_WAIT takes no port
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
