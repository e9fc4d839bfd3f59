"""Crash points stand wherever state changes hands, and only a test can make one kill."""

import ast
from pathlib import Path

import pytest

from shared import crash_points
from shared.crash_points import passing, watched
from tests.test_architecture import ROOT, sources

HANDS_OVER = {
    "os.fsync",
    "aside.replace",
    "session.begin",
    "self.transport.publish",
    "self._transport.publish",
    "self.exchange.transport.publish",
}
"""Calls after which something is durable, or somebody else knows."""

ON_THEIR_OWN = {
    "shared/blobs.py:sync_folder": "its callers stand around it",
    "shared/partial.py:complete": "the part file is synced, and adopt_durably, which follows, has the points",
}
"""Functions that hand over without a point of their own, and why."""


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def calls(function: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}


def test_state_changes_hands_only_between_crash_points() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in sources()
        for function in functions(path)
        if calls(function) & HANDS_OVER and "passing" not in calls(function)
    }
    assert found == set(ON_THEIR_OWN)


def test_no_source_of_the_product_installs_a_watcher() -> None:
    found = [
        path
        for path in sources()
        if path != Path(str(crash_points.__file__))
        and ("watched(" in path.read_text() or "_watcher" in path.read_text())
    ]
    assert not found


def test_a_watcher_is_told_until_it_is_taken_away() -> None:
    told: list[object] = []
    with watched(lambda place, concerning: told.append((place, concerning))):
        passing("file.synced", "here")
    passing("file.synced", "there")
    assert told == [("file.synced", "here")]


def test_a_watcher_that_raises_ends_what_passes(tmp_path: Path) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with watched(die), pytest.raises(KeyboardInterrupt):
        passing("file.synced", tmp_path)
