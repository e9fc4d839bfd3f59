"""A device dies while it changes its model: at every file operation and every statement of the journal, one after the
other, and whatever was reached, one model serves, whole, the old or the new."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.candidate import open_candidates
from edge.journal import Journal
from edge.model_history import ModelHistory
from edge.shadow import open_checked
from edge.versions import FILES, ONNX, Versions
from export.record import read_record
from tests.edge.fake_models import long_tailed, write_fake

DATA = long_tailed()
OLD, NEW = (0, 0, 0, 3), (0, 1, 2, 3)
STEPS = {"open", "os.rename", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
ENOUGH = 400


def put(state: Path, answers: tuple[int, ...], salt: str = "") -> None:
    journal = Journal(state / "agent.sqlite")
    with open_candidates(state, journal) as candidates:
        candidates.put_forward(lambda folder: write_fake(folder, answers, salt=salt), data=DATA, origin="finish")
    journal.close()


def roll_back(state: Path) -> None:
    journal = Journal(state / "agent.sqlite")
    with open_candidates(state, journal) as candidates:
        candidates.rollback()
    journal.close()


def first(state: Path) -> None:
    put(state, NEW, "new")


def nothing(state: Path) -> None:
    state.mkdir()


def one_serves(state: Path) -> None:
    state.mkdir()
    put(state, OLD, "old")


def two_were_made(state: Path) -> None:
    one_serves(state)
    put(state, NEW, "new")


def from_before_versions(state: Path) -> None:
    write_fake(state, OLD, salt="old")


def killed_at(step: int, work: Callable[[Path], None], state: Path) -> bool:
    """Do the work in a process that is killed right before its ``step``-th step; tell whether it got that far."""
    child = os.fork()
    if child == 0:
        try:
            _count(step)
            work(state)
        except BaseException:  # noqa: BLE001 - a fork must not return into pytest
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _count(step: int) -> None:
    left = [step]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(event: str, details: Any) -> None:
        if event in STEPS and (event != "open" or details[2] & (os.O_WRONLY | os.O_RDWR)):
            count()

    plain = Journal.run

    def run(journal: Journal, statement: str, *values: Any) -> list[Any]:
        count()
        return plain(journal, statement, *values)

    Journal.run = run  # type: ignore[method-assign] - in the child only
    sys.addaudithook(heard)


def serving(state: Path) -> tuple[bool, str | None]:
    """Tell whether a model serves, by the names that never change; and its digest, having checked every byte."""
    if not (state / ONNX).exists():
        return False, None
    open_checked(state / ONNX)
    record = read_record(state / ONNX)
    salt = (state / FILES[2]).read_bytes().removeprefix(b"source ").decode()
    assert salt in {"old", "new"}
    return True, record.sha256


@pytest.mark.parametrize(
    ("before", "work"),
    [(nothing, first), (one_serves, first), (from_before_versions, first), (two_were_made, roll_back)],
    ids=["the first model", "a better model", "a model from before versions", "a rollback"],
)
def test_killed_at_any_step_one_model_serves_old_or_new(
    before: Callable[[Path], None], work: Callable[[Path], None], tmp_path: Path
) -> None:
    start, done = tmp_path / "start", tmp_path / "done"
    before(start)
    old = serving(start)
    shutil.copytree(start, done, symlinks=True)
    work(done)
    new = serving(done)
    assert old != new
    seen = set()
    for step in range(1, ENOUGH):
        state = tmp_path / str(step)
        shutil.copytree(start, state, symlinks=True)
        killed = killed_at(step, work, state)
        found = serving(state)
        assert found in {old, new}, f"step {step}"
        seen.add(found)
        journal = Journal(state / "agent.sqlite")
        with open_candidates(state, journal) as candidates:
            version = candidates.serving()
        decisions = ModelHistory(journal).decisions()
        assert all(row.state != "pending" for row in decisions), f"step {step}"
        last = ModelHistory(journal).last_switch()
        assert (version is None) == (last is None)
        if version is not None and last is not None:
            assert last.version == version.version == Versions(state).current()
            assert version.digest == serving(state)[1]
        assert len(Versions(state).kept()) <= 2
        journal.close()
        if step % 3 == 0 and serving(state) != new:
            work(state)
            assert serving(state) == new, f"step {step}"
        if not killed:
            break
    assert not killed
    assert step > 10
    assert seen == {old, new}
