"""A mosquitto of a benchmark's own on a random port of the loopback interface, and what its process takes."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.endpoint import Endpoint


@dataclass(frozen=True)
class Broker:
    """A running mosquitto."""

    endpoint: Endpoint
    process: psutil.Process

    def peak_mib(self) -> float:
        """Return the largest resident memory the process ever had."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise LookupError("no VmHWM in /proc: Linux is needed")


@contextmanager
def mosquitto() -> Iterator[Broker]:
    """Start one, and end it."""
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", "set_tcp_nodelay true"]
        config.write_text("\n".join([*lines, "user root", ""]))
        process = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
        try:
            _wait(port)
            yield Broker(Endpoint(f"mqtt://127.0.0.1:{port}"), psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(10)


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("mosquitto does not come up")
