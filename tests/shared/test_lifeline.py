import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from shared.errors import ArtifactError
from shared.lifeline import end, spawn
from shared.limits import PARENT_DEATH_SECONDS
from tests.waiting import wait_until

CHILD = """
import signal, sys, threading
from pathlib import Path
from shared.lifeline import end_with_parent
def goodbye(number, frame):
    Path(sys.argv[2]).touch()
    if sys.argv[1] == "obedient":
        sys.exit(0)
signal.signal(signal.SIGTERM, goodbye)
end_with_parent()
print("ready", flush=True)
while True:
    threading.Event().wait(60)
"""

PARENT = """
import sys, threading
from pathlib import Path
from shared.lifeline import spawn
child = spawn([sys.executable, *sys.argv[2:]], log_path=Path(sys.argv[1]))
print(child.pid, flush=True)
threading.Event().wait(60)
"""


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("nature", ["obedient", "stubborn"])
def test_a_child_ends_with_its_killed_parent_and_is_told_first(tmp_path: Path, nature: str) -> None:
    parent_log, child_log, told = tmp_path / "parent.log", tmp_path / "child.log", tmp_path / "told"
    arguments = [sys.executable, "-c", PARENT, child_log, "-c", CHILD, nature, told]
    parent = spawn(arguments, log_path=parent_log)
    wait_until(lambda: child_log.exists() and "ready" in child_log.read_text(), "the child is ready")
    pid = int(parent_log.read_text())
    parent.kill()
    begin = time.monotonic()
    wait_until(lambda: is_gone(pid), "the child ends", seconds=PARENT_DEATH_SECONDS)
    assert told.exists()
    assert nature == "stubborn" or time.monotonic() - begin < PARENT_DEATH_SECONDS / 2
    end(parent)


def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    child = spawn([sys.executable, "-c", CHILD, "stubborn", tmp_path / "told"], log_path=log)
    wait_until(lambda: "ready" in log.read_text(), "the child is ready")
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert end(child, grace_seconds=0.2) == -signal.SIGKILL
    assert end(child) == -signal.SIGKILL


def test_a_child_that_obeys_ends_with_its_own_status(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    child = spawn([sys.executable, "-c", CHILD, "obedient", tmp_path / "told"], log_path=log)
    wait_until(lambda: "ready" in log.read_text(), "the child is ready")
    assert end(child) == 0


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot start /no/such/program"):
        spawn(["/no/such/program"], log_path=tmp_path / "log")
