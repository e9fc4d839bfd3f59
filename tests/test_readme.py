"""The README's commands run as written, in the order a newcomer types them."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.lifeline import end, spawn
from tests.waiting import wait_until

README = Path(__file__).resolve().parent.parent / "README.md"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
SECONDS = 240.0
SERVING = ("fedloge edge predict", "fedloge edge personalize", "fedloge edge models")


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("fedloge ")]


def arguments(command: str) -> list[str]:
    return [sys.executable, "-m", "shared.cli", *shlex.split(command)[1:]]


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        arguments(command), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's folder: `images/` with two classes that can be told apart."""
    root = tmp_path_factory.mktemp("newcomer")
    random = np.random.default_rng(0)
    for label, brightness in (("cat", 60), ("dog", 180)):
        for number in range(20):
            pixels = np.clip(random.normal(brightness, 30, (8, 8, 3)), 0, 255).astype(np.uint8)
            path = root / "images" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def children() -> Iterator[list["subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        end(process)


def start(command: str, folder: Path, name: str) -> "subprocess.Popen[bytes]":
    words = shlex.split(command)[1:]
    script = f"import os; os.chdir({str(folder)!r}); from shared.cli import main; main()"
    arguments = [sys.executable, "-c", script, *words, "--exit-with-parent"]
    return spawn(arguments, log_path=folder / f"{name}.log", environment=ENVIRONMENT)


def test_the_three_uses_run_as_written(folder: Path, children: list["subprocess.Popen[bytes]"]) -> None:
    (init,), (cloud,), (edge,) = (
        [line for line in commands() if line.startswith(f"fedloge {words}")]
        for words in ("cloud init", "cloud start", "edge run")
    )
    run(init, folder)
    coordinator = start(cloud, folder, "coordinator")
    children.append(coordinator)
    wait_until((folder / "coordinator" / "join.json").exists, "the join file", seconds=SECONDS)
    children.append(start(edge, folder, "agent"))
    children.append(start(edge.replace("--state agent", "--state agent-2"), folder, "agent-2"))
    wait_until(lambda: coordinator.poll() is not None, "the coordinator's end", seconds=SECONDS)
    assert coordinator.returncode == 0, (folder / "coordinator.log").read_text()
    wait_until((folder / "agent" / "personal.onnx").exists, "the personal model", seconds=SECONDS)
    for process in children:
        wait_until(lambda process=process: process.poll() is not None, "an agent's end", seconds=SECONDS)
    for command in commands():
        if command.startswith(("fedloge export", *SERVING)):
            run(command, folder)
    assert "fedloge edge rollback --state agent" in README.read_text(encoding="utf-8")
    run("fedloge edge rollback --state agent", folder)
    for command in ("status", "rounds", "rounds 3", "agents", "models"):
        assert f"`fedloge cloud {command}`" in README.read_text(encoding="utf-8")
        assert run(f"fedloge cloud {command}", folder).strip()


def test_the_demo_on_own_images_runs_as_written(folder: Path) -> None:
    (demo,) = (line for line in commands() if line.startswith("fedloge demo"))
    assert "personal" in run(demo, folder)
    assert (folder / "runs" / "demo" / "report.html").stat().st_size > 10_000


def test_every_command_of_the_readme_is_tested_here() -> None:
    known = (
        "fedloge cloud init",
        "fedloge cloud start",
        "fedloge edge run",
        "fedloge export",
        "fedloge demo",
        *SERVING,
    )
    assert [line for line in commands() if not line.startswith(known)] == []
