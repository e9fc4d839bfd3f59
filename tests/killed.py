"""A process of its own that ends by SIGKILL: what it leaves is what a power cut would leave."""

import os
import signal
import traceback
from collections.abc import Callable


def run_and_kill(work: Callable[[], None]) -> None:
    """Fork, do the work, and SIGKILL the child: in the midst of the work if it does so itself, else right after it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a fork must not return into pytest
            traceback.print_exc()
            os._exit(3)
        kill_myself()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child ended by itself: {os.waitstatus_to_exitcode(status)}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def kill_myself(*_: object) -> None:
    """End this process at once; takes any arguments so that it can stand as an event's listener."""
    os.kill(os.getpid(), signal.SIGKILL)
