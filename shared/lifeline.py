"""Child processes that end with their parent: the child reads a pipe whose other end only the parent holds.

The operating system closes that end whenever and however the parent dies, on every platform, so no process is left
behind, not even by a SIGKILL.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from shared.errors import ArtifactError
from shared.limits import PARENT_DEATH_SECONDS

_GRACE_SECONDS: Final = PARENT_DEATH_SECONDS - 1.0
"""Time for a clean end after the parent's death; the rest of ``PARENT_DEATH_SECONDS`` is a busy machine's."""


def end_with_parent() -> None:
    """End this process when its parent does; for a process that ``spawn`` started.

    At the parent's death the process sends itself SIGTERM, so its handlers run; what still runs after a grace period
    is ended without. Call it before anything slow is imported, so that a parent that dies meanwhile is noticed.
    """
    orphaned = threading.Event()
    atexit.register(_skip_teardown, orphaned)
    threading.Thread(target=_watch, args=(orphaned,), name="lifeline", daemon=True).start()


def _skip_teardown(orphaned: threading.Event) -> None:
    """End an orphan when its own work is over: taking torch apart took seconds, and no thread can cut that short."""
    if orphaned.is_set():
        os._exit(1)


def _watch(orphaned: threading.Event) -> None:
    stdin = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
    try:
        while os.read(stdin, 4096):  # nothing is ever written: the pipe only closes
            pass
    except OSError:  # a pipe that cannot be read is a parent that cannot be watched
        pass
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_SECONDS)
    os._exit(1)


def spawn(
    arguments: Sequence[str | Path], *, log_path: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a child process that ends with this one, in a process group of its own.

    Its group keeps a terminal's Ctrl-C from it: the parent decides in which order its children end.

    Args:
        arguments: Program and arguments; never a secret, every user of the machine can read them.
        log_path: File that receives its output, appended.
        environment: Variables for the child; None inherits.

    Raises:
        ArtifactError: The log or the program cannot be opened.
    """
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  our own commands, no shell
                [str(argument) for argument in arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,
            )
    except OSError as cause:
        raise ArtifactError(f"cannot start {arguments[0]} with log {log_path}: {cause.strerror or cause}") from cause


def end(process: "subprocess.Popen[bytes]", *, grace_seconds: float = PARENT_DEATH_SECONDS) -> int:
    """End a child that ``spawn`` started, kindly first, and return its exit status; idempotent.

    Args:
        process: The child.
        grace_seconds: From SIGTERM to SIGKILL.
    """
    process.terminate()
    try:
        return process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()  # closed before, it would tell the child that this process has died
