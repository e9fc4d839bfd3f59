"""`fedloge demo` as a process of its own, with everything it starts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from shared.lifeline import end
from tests.waiting import wait_until

PATIENCE_SECONDS = 200.0
"""For five processes that load torch on a machine that is busy otherwise; idle, a demo this small takes a tenth."""

SMALL = ["--agents", "2", "--local-epochs", "1", "--batch-size", "32", "--seed", "3"]


def command(out: Path, rounds: int) -> list[str]:
    """Return the command line of a small demo."""
    return [sys.executable, "-m", "shared.cli", "demo", *SMALL, "--rounds", str(rounds), "--out", str(out)]


def finished_demo(out: Path, *more: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a demo of two rounds to its end; return the one envelope that is all of its standard output."""
    done = subprocess.run(
        [*command(out, rounds=2), "--json", *more],
        capture_output=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=os.environ | dict(environment or {}),
    )
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 1, lines
    envelope: dict[str, Any] = json.loads(lines[0])
    return envelope


@contextmanager
def long_demo(out: Path, *, log: str, says: str) -> Iterator[tuple["subprocess.Popen[bytes]", list[psutil.Process]]]:
    """Start a demo as a terminal does; give it and its four descendants as soon as one of the logs says something."""
    told = out / "logs" / log
    with (out.parent / "demo.log").open("wb") as words:
        demo = subprocess.Popen(command(out, rounds=500), stdout=words, stderr=words, start_new_session=True)
    try:
        wait_until(lambda: told.exists() and says in told.read_text(), f"{log} says {says!r}", seconds=PATIENCE_SECONDS)
        descendants = psutil.Process(demo.pid).children(recursive=True)
        assert len(descendants) == 4, descendants  # coordinator, its broker, two agents
        yield demo, descendants
    finally:
        end(demo)


def all_gone(processes: list[psutil.Process]) -> bool:
    """Tell whether none of the processes runs; one that ended and was not yet waited for is gone."""
    return not any(is_alive(process) for process in processes)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
