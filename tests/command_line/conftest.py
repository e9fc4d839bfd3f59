"""The console script's own function in this process, and what a refusal must look like."""

import json
import logging
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from PIL import Image

from cloud.origin import start_or_resume
from cloud.settings import FederationFile, paths_of
from cloud.store.sql import open_store
from cloud.template import render
from shared.blobs import BlobStore
from shared.cli import main
from tests.federation import tiny_settings

PACKAGES = ("shared", "cloud", "edge", "export")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The one JSON envelope on stdout."""
        envelope: dict[str, Any] = json.loads(self.out)
        assert envelope.keys() == {"schema_version", "status", "data"}
        return envelope

    def refused(self, code: int, *words: str) -> None:
        """Check that this is one clear line with its remedy, and that stdout holds nothing, or one error envelope."""
        assert self.code == code, self.err
        assert "Traceback" not in self.err
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        remedies = [line for line in self.err.splitlines() if line.startswith("remedy: ")]
        assert len(errors) == len(remedies) == 1, self.err
        for word in words:
            assert word in errors[0] + remedies[0], self.err
        if self.out:
            assert self.envelope["status"] == "error"
            assert self.envelope["data"]["error"] == errors[0].removeprefix("error: ")
            assert self.envelope["data"]["remedy"] == remedies[0].removeprefix("remedy: ")
            assert self.envelope["data"]["exit_code"] == code


class Fedloge(Protocol):
    def __call__(self, *arguments: str | Path) -> Outcome: ...


@pytest.fixture
def fedloge(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Fedloge]:
    """Run a command; what it prints is what a user sees."""
    before = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    levels = {name: logging.getLogger(name).level for name in PACKAGES}

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fedloge", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        return Outcome(int(caught.value.code or 0), *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before[0])
    torch.set_num_threads(before[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def federation(tmp_path: Path) -> Path:
    """A federation file that fits, of a federation that has not started."""
    return write_federation(tmp_path, tiny_settings())


@pytest.fixture
def started(federation: Path) -> Path:
    """The file of a federation that has started and committed nothing yet; no coordinator runs."""
    paths = paths_of(federation, tiny_settings())
    store = open_store(paths.database)
    start_or_resume(tiny_settings(), store, BlobStore(paths.blobs))
    store.close()
    return federation


@pytest.fixture
def join(tmp_path: Path) -> Path:
    """A join file for a port where nothing listens."""
    path = tmp_path / "join.json"
    path.write_text('{"federation": "tiny", "url": "mqtt://127.0.0.1:1", "username": "u", "password": "p"}')
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes that ``tiny_settings`` knows, one image each."""
    for name in tiny_settings().class_names[:2]:
        write_image(tmp_path / "images" / name / "0.png")
    return tmp_path / "images"


def write_federation(folder: Path, settings: FederationFile) -> Path:
    """Write a federation file and return its path."""
    path = folder / "federation.toml"
    path.write_text(render(settings))
    return path


def write_image(path: Path) -> None:
    """Write one small grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), 128).save(path)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes: what must not have changed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
