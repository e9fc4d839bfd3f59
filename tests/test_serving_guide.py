"""The guide from a round to a served model runs as written, every command and every line of Python."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "serving.md"
SECONDS = 240.0


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"```(bash|python)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_guide_runs_from_top_to_bottom(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = ""
    script = ""
    for language, text in blocks():
        script += text if language == "python" else ""
        command = ["bash", "-euc", text] if language == "bash" else [sys.executable, "-c", script]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    for file in ("models/heads/client-00.onnx", "models/client-00.onnx", "models-int8/backbone.onnx", "latency.svg"):
        assert (tmp_path / file).exists(), file
    assert (tmp_path / "newcomer" / "personal.onnx").exists()
    assert list((tmp_path / "repository").rglob("config.pbtxt"))


@pytest.mark.parametrize(
    "word", ["demo", "cloud models", "edge models", "export verify", "edge predict", "edge rollback"]
)
def test_the_guide_names_the_step(word: str) -> None:
    assert f"fedloge {word}" in GUIDE.read_text(encoding="utf-8")
