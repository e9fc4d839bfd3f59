"""The processes of a demo: the coordinator, which starts its broker, and one agent per client."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloud.demo.prepare import Prepared
from shared.errors import EXIT_CODES, FedlogeError
from shared.lifeline import end, spawn

START_SECONDS: Final = 120.0
"""Wait for the coordinator's join file: loading torch takes seconds on a busy machine, not minutes."""

POLL_SECONDS: Final = 0.1
"""Between two looks at a file or a process."""


@dataclass(slots=True)
class Children:
    """Processes of one demo; ``stop`` ends whatever still runs.

    Attributes:
        logs: Folder of their logs.
    """

    logs: Path
    coordinator: "subprocess.Popen[bytes] | None" = None
    agents: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def start(self, prepared: Prepared) -> None:
        """Start the coordinator, wait for its join file, start the agents.

        Raises:
            FedlogeError: A process ended early; carries its last words and its exit code.
        """
        threads = prepared.settings.training.threads
        self.coordinator = self._spawn("coordinator", ["cloud", "start", prepared.file], threads)
        self._await_join_file(prepared.paths.join_file)
        for client, state in prepared.agents.items():
            words: list[str | Path] = ["edge", "run", "--join", prepared.paths.join_file, "--client", client]
            words += ["--data", f"folder:{prepared.images[client].resolve()}", "--state", state]
            self.agents[client] = self._spawn(client, words, threads)

    def _spawn(self, name: str, words: Sequence[str | Path], threads: int) -> "subprocess.Popen[bytes]":
        # More threads than cores in many processes cost a factor of ten: each process gets what training is set to.
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        arguments = [sys.executable, "-m", "shared.cli", *words, "--exit-with-parent"]
        return spawn(arguments, log_path=self._log(name), environment=environment)

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _await_join_file(self, join_file: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not join_file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise FedlogeError(
                    f"no {join_file} after {START_SECONDS:.0f} s", remedy=f"see {self._log('coordinator')}"
                )
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise what ended a process that should still run, or run to a good end.

        Raises:
            FedlogeError: Of the class that belongs to the process's exit code.
        """
        for name, process in [("coordinator", self.coordinator), *self.agents.items()]:
            if process is not None and process.poll() not in {None, 0}:
                raise _failure(name, process.returncode, self._log(name))

    def running(self) -> bool:
        """Tell whether the coordinator still works."""
        return self.coordinator is not None and self.coordinator.poll() is None

    def wait_for_agents(self, seconds: float) -> None:
        """Give agents that heard the goodbye time to leave on their own."""
        deadline = time.monotonic() + seconds
        for process in self.agents.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return

    def stop(self) -> None:
        """End every process that still runs: all are told first, then waited for."""
        processes = [process for process in (self.coordinator, *self.agents.values()) if process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            end(process)


def _failure(name: str, code: int, log: Path) -> FedlogeError:
    """Return a process's own error, told by its log's last lines."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    error = next((line for line in reversed(lines) if line.startswith("error: ")), f"ended with exit code {code}")
    remedy = next((line for line in reversed(lines) if line.startswith("remedy: ")), "")
    kind = next((kind for kind in EXIT_CODES if kind.exit_code == code), FedlogeError)
    words = f"{name}: {error.removeprefix('error: ')}"
    advice = remedy.removeprefix("remedy: ") or f"see {log}"
    if kind.__init__ is not FedlogeError.__init__:
        return FedlogeError(words, remedy=advice)
    return kind(words, remedy=advice)
