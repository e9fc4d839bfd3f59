"""A command line that does not parse: exit code 2, one line that names the option, where to read how it goes."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line.conftest import Fedloge, Outcome

WRONG = {
    "cluod start": ["cluod", "did you mean cloud?", "see: fedloge --help"],
    "cloud strat": ["'strat'", "'start'", "see: fedloge cloud --help"],
    "cloud start --fast": ["--fast", "see: fedloge cloud start --help"],
    "cloud init a b": ["b", "see: fedloge cloud init --help"],
    "cloud init --clients 0": ["'--clients'", "greater than or equal to 1"],
    "cloud rounds 0": ["'N'", "greater than or equal to 1"],
    "cloud rounds one": ["'N'", "integer"],
    "edge run": ["missing option", "--join", "see: fedloge edge run --help"],
    "edge run --join j --data d --state s --patience 0": ["'--patience'"],
    "export verify": ["missing argument", "FILE"],
    "demo --agents 0": ["'--agents'", "see: fedloge demo --help"],
    "demo --rounds 0": ["'--rounds'"],
    "demo --imbalance 0.5": ["'--imbalance'"],
    "demo --imbalance nan": ["'--imbalance'"],
    "demo --alpha 0": ["'--alpha'"],
    "demo --batch-size 1": ["'--batch-size'"],
    "demo --local-epochs 0": ["'--local-epochs'"],
    "demo --learning-rate 0": ["'--learning-rate'"],
    "demo --participation 0": ["'--participation'"],
    "demo --participation 1.5": ["'--participation'"],
    "demo --seed x": ["'--seed'", "integer"],
    "demo --out": ["--out", "requires an argument"],
    "demo --out --rounds": ["--out", "got --rounds", "see: fedloge demo --help"],
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_is_one_line_that_names_the_option(fedloge: Fedloge, line: str) -> None:
    fedloge(*line.split()).refused(2, *WRONG[line])
    if line != "demo --out":  # whose argument it would be
        with_json = fedloge(*line.split(), "--json")
        with_json.refused(2)
        assert with_json.out


def test_version_is_the_distributions(fedloge: Fedloge) -> None:
    done = fedloge("--version")
    assert (done.code, done.out, done.err) == (0, f"fedloge {importlib.metadata.version('fedloge')}\n", "")


def test_an_option_that_parses_and_does_not_fit_is_named(
    fedloge: Fedloge, join: Path, images: Path, tmp_path: Path
) -> None:
    def run(*more: str) -> Outcome:
        state = tmp_path / "state"
        return fedloge("edge", "run", "--join", join, "--data", f"folder:{images}", "--state", state, *more, "--json")

    run("--client", "a/b").refused(3, "client 'a/b' cannot be used")
    run("--device", "tpux").refused(3, "device 'tpux' is unknown", "auto")
    run("--device", "cuda:99").refused(3, "cuda:99 was asked for", "--device auto")
    assert not (tmp_path / "state").exists()


def test_init_needs_classes_or_images_and_not_both(fedloge: Fedloge, tmp_path: Path, images: Path) -> None:
    file = tmp_path / "new.toml"
    fedloge("cloud", "init", file, "--json").refused(3, "0 class names", "--classes")
    fedloge("cloud", "init", file, "--classes", "cat").refused(3, "1 class names")
    fedloge("cloud", "init", file, "--classes", "cat,cat").refused(3, "class_names holds 'cat' twice")
    both = fedloge("cloud", "init", file, "--classes", "a,b", "--data", f"folder:{images}")
    both.refused(3, "--classes and --data were both given")
    fedloge("cloud", "init", file, "--classes", "a,b", "--name", "my federation").refused(3, "'my federation'")
    assert not file.exists()


def test_init_does_not_overwrite_a_file(fedloge: Fedloge, federation: Path) -> None:
    before = federation.read_bytes()
    fedloge("cloud", "init", federation, "--classes", "a,b", "--json").refused(9, "is not overwritten")
    assert federation.read_bytes() == before


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
from shared.cli import main
main()
"""


@pytest.mark.parametrize(
    ("module", "line", "code", "extra"),
    [
        ("sqlalchemy", "cloud status --file {federation} --json", 1, "fedloge[cloud]"),
        ("alembic", "cloud start {federation} --json", 1, "fedloge[cloud]"),
        ("amqtt", "cloud start {federation} --json", 1, "fedloge[cloud]"),
        ("paho", "edge run --join {join} --data folder:{images} --state {folder}/s --json", 1, "fedloge[edge]"),
        ("onnx", "export verify {federation} --json", 1, "fedloge[edge]"),
        ("onnxruntime", "export verify {federation} --json", 8, "fedloge[gpu]"),
        ("sklearn", "cloud init {folder}/new.toml --data digits --json", 4, "fedloge[demo]"),
    ],
)
def test_a_missing_extra_is_one_line_that_says_how_to_install_it(
    started: Path, join: Path, images: Path, *, module: str, line: str, code: int, extra: str
) -> None:
    words = line.format(federation=started, join=join, images=images, folder=started.parent).split()
    program = BLOCKER.format(module=module)
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    lines = [text for text in done.stderr.splitlines() if text.startswith(("error: ", "remedy: ", "Traceback"))]
    assert done.returncode == code, done.stderr
    assert len(lines) == 2, done.stderr
    assert f"pip install '{extra}'" in lines[1]
    assert json.loads(done.stdout)["status"] == "error"
