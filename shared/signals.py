"""SIGTERM as an ordinary end: `finally` blocks run, so brokers stop, locks open and goodbyes are said."""

import signal
import sys
from types import FrameType
from typing import Final, NoReturn

TERMINATED: Final = 143
"""Exit code after SIGTERM: the shell's convention, 128 + 15."""


def exit_on_sigterm() -> None:
    """Turn SIGTERM into ``SystemExit(143)``, raised in the main thread."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    sys.exit(TERMINATED)
