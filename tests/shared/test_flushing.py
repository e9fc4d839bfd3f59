"""Flushing early is a kindness to the sync that counts: it raises nothing, and nothing depends on it."""

import threading
from pathlib import Path

import pytest

from shared import flushing
from shared.flushing import begin_flush
from tests.waiting import wait_until


def idle() -> bool:
    return flushing._last is None or flushing._last.done()


def test_a_file_that_is_gone_is_no_error(tmp_path: Path) -> None:
    wait_until(idle, "an earlier flush is over")
    begin_flush(tmp_path / "gone")
    wait_until(idle, "the flush is over")
    assert flushing._last is not None
    assert flushing._last.exception() is None


def test_while_a_disk_is_busy_no_more_is_asked_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(idle, "an earlier flush is over")
    free, asked = threading.Event(), list[Path]()

    def slow(path: Path) -> None:
        asked.append(path)
        free.wait(30)

    monkeypatch.setattr(flushing, "_flush", slow)
    for number in range(5):
        begin_flush(tmp_path / str(number))
    free.set()
    wait_until(idle, "the flush is over")
    assert asked == [tmp_path / "0"]
