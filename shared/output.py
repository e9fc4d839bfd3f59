"""What a command prints: one JSON envelope on stdout, or words for people; diagnostics always on stderr."""

import logging
import sys
from typing import Any, Final

import msgspec
from rich.console import Console, RenderableType

PLAIN_WIDTH: Final = 200
"""Columns where there is no terminal: a table in a file or a pipe is cut nowhere."""

ENVELOPE_VERSION: Final = 1
"""Version of the envelope; a field is added without a new one, never changed or removed."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that uses colour and width only where there is a terminal."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr, highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else PLAIN_WIDTH
    )


def emit(data: dict[str, Any], *, as_json: bool, text: RenderableType = "", status: str = "ok") -> None:
    """Print a command's result once.

    Args:
        data: The result, made of JSON's types.
        as_json: Print ``{"schema_version", "status", "data"}`` instead of ``text``.
        text: The same for people.
        status: "ok" or "error".
    """
    if as_json:
        envelope = {"schema_version": ENVELOPE_VERSION, "status": status, "data": data}
        sys.stdout.write(msgspec.json.encode(envelope).decode() + "\n")
        sys.stdout.flush()
    elif text:
        console().print(text)


def note(line: str) -> None:
    """Print one diagnostic line on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def log_to_stderr(level: int) -> None:
    """Log our own packages from ``level`` on, and everybody else's from warnings on, with the time of day."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for package in ("shared", "cloud", "edge", "export"):
        logging.getLogger(package).setLevel(level)
