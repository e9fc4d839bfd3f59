"""Processes of the product, forked from one that has loaded everything: a start costs milliseconds, not seconds."""

import multiprocessing
import os
import sys
import threading
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from shared import cli
from shared.crash_points import watched
from tests.crash.quick_export import export_quickly
from tests.crash.script import Script

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.crash.preloaded"])


@dataclass(frozen=True, kw_only=True)
class Life:
    """One process from its start to its death."""

    words: list[str]
    log: Path
    script: Script
    quick: bool
    environment: dict[str, str]


def start(name: str, words: list[str], *, log: Path, script: Path, quick: bool) -> BaseProcess:
    """Start ``fedloge WORDS`` as a process that dies where its script says.

    Args:
        name: Of the process.
        words: The command.
        log: What it prints.
        script: Folder of the script.
        quick: Export by ``export_quickly``.
    """
    life = Life(words=words, log=log, script=Script(script, name), quick=quick, environment=dict(os.environ))
    process = _CONTEXT.Process(target=_live, args=(life,), name=name, daemon=True)
    process.start()
    return process


def _live(life: Life) -> None:
    os.environ.update(life.environment)  # the forking process has that of the first start
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    life.log.parent.mkdir(parents=True, exist_ok=True)
    with life.log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False, buffering=1)
    sys.argv = ["fedloge", *life.words]
    if life.quick:
        export_quickly(pytest.MonkeyPatch())
    with watched(life.script.watch):
        cli.main()
