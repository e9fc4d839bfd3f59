"""``fedloge export``: what it prints, where it writes, and the exit code of everything that can go wrong."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from export.bundle import Bundle, write_bundle
from export.cli import GENERIC_BUNDLE, PERSONAL_BUNDLE
from export.graph import to_onnx
from export.record import read_record
from shared.cli import main
from shared.data import read
from tests.export.conftest import Exported
from tests.export.samples import make_bundle

ROOT = Path(__file__).resolve().parents[2]


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def data(self) -> dict[str, Any]:
        """The envelope's data; fails unless stdout holds exactly one envelope."""
        envelope = json.loads(self.out)
        assert envelope.keys() == {"schema_version", "status", "data"}
        data: dict[str, Any] = envelope["data"]
        return data


@pytest.fixture
def fedloge(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the console script's own function in this process; what it prints is what a user sees."""

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fedloge", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        return Outcome(int(code or 0), *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def generic() -> Bundle:
    """A generic model of the digits, ten classes."""
    names = read("digits").class_names
    bundle = make_bundle(kind="generic", rule="etf")
    weight = bundle.head.weight.repeat(2, 1)[: len(names)].contiguous()
    head = replace(bundle.head, weight=weight, bias=None, keep=None)
    return replace(bundle, class_names=names, head=head)


@pytest.fixture(scope="session")
def generic_graph(generic: Bundle) -> bytes:
    return to_onnx(generic)


@pytest.fixture
def artifacts(tmp_path: Path, generic: Bundle, generic_graph: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("export.publish.to_onnx", lambda *_args, **_options: generic_graph)
    write_bundle(tmp_path / GENERIC_BUNDLE, generic)
    return tmp_path


def test_generic_without_data_compares_on_random_images_and_says_so(fedloge: Any, artifacts: Path) -> None:
    done = fedloge("export", "generic", "--artifacts", artifacts, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.data["file"] == str(artifacts / "generic.onnx")
    assert done.data["record"]["images"] == {"origin": "seeded-random", "count": 64, "seed": 0, "spec": None}
    assert read_record(artifacts / "generic.onnx").parity.passed
    again = fedloge("export", "verify", artifacts / "generic.onnx", "--json")
    assert again.data["files"][0]["checked"] == ["digest", "load", "parity"]


def test_generic_on_real_images_is_verified_on_them_without_being_told(fedloge: Any, artifacts: Path) -> None:
    out = artifacts / "elsewhere.onnx"
    done = fedloge("export", "generic", "--artifacts", artifacts, "--data", "digits", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "held-out images" in done.out
    assert read_record(out).images.spec == "digits"
    again = fedloge("export", "verify", out)
    assert again.code == 0
    assert "verified digest, load, parity" in again.out
    assert "held-out images" in again.out


@pytest.mark.usefixtures("traced_once")
def test_personal_writes_beside_the_agents_bundle(fedloge: Any, tmp_path: Path, bundle: Bundle) -> None:
    write_bundle(tmp_path / PERSONAL_BUNDLE, bundle)
    done = fedloge("export", "personal", "--state", tmp_path, "--json")
    assert done.code == 0
    assert done.data["record"]["client"] == "device-3"
    assert (tmp_path / "personal.onnx").is_file()


@pytest.mark.parametrize(("command", "option"), [("generic", "--artifacts"), ("personal", "--state")])
def test_exporting_before_there_is_a_model_exits_7(fedloge: Any, tmp_path: Path, command: str, option: str) -> None:
    done = fedloge("export", command, option, tmp_path, "--json")
    assert done.code == 7
    assert done.err.startswith("error: ")
    assert "remedy: " in done.err
    assert done.data["exit_code"] == 7


def test_a_bundle_that_is_none_exits_8(fedloge: Any, tmp_path: Path) -> None:
    (tmp_path / GENERIC_BUNDLE).write_bytes(b"junk")
    done = fedloge("export", "generic", "--artifacts", tmp_path)
    assert done.code == 8
    assert "is no bundle" in done.err
    assert list(tmp_path.glob("*.onnx*")) == []


def test_unknown_data_exits_4(fedloge: Any, artifacts: Path) -> None:
    assert fedloge("export", "generic", "--artifacts", artifacts, "--data", "fotos").code == 4
    assert fedloge("export", "generic", "--artifacts", artifacts).code == 0
    assert fedloge("export", "verify", artifacts / "generic.onnx", "--data", "fotos").code == 4


def test_a_changed_byte_exits_8_and_the_other_files_are_still_checked(
    fedloge: Any, exported: Exported, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled" / exported.path.name
    shutil.copytree(exported.path.parent, spoiled.parent)
    payload = bytearray(spoiled.read_bytes())
    payload[len(payload) // 3] ^= 64
    spoiled.write_bytes(payload)
    done = fedloge("export", "verify", spoiled, exported.path, "--json")
    assert done.code == 8
    assert "was changed" in done.err
    assert [file["verified"] for file in done.data["files"]] == [False, True]
    assert json.loads(done.out)["status"] == "error"
    assert fedloge("export", "verify", exported.path).code == 0


def test_images_the_record_names_but_that_are_gone_are_no_failure(fedloge: Any, exported: Exported) -> None:
    text = exported.record.read_text().replace('"spec": null', '"spec": "folder:/absent"')
    exported.record.write_text(text)
    done = fedloge("export", "verify", exported.path)
    assert done.code == 0
    assert "no held-out images are at hand" in done.out


@pytest.mark.usefixtures("quick_trace")
def test_split_writes_the_backbone_once_and_then_heads_alone(fedloge: Any, tmp_path: Path, bundle: Bundle) -> None:
    sources, out = [], tmp_path / "models"
    for client in ("device-3", "device-4"):
        path = tmp_path / f"{client}.safetensors"
        write_bundle(path, replace(bundle, provenance=msgspec.structs.replace(bundle.provenance, client=client)))
        sources.append(path)
    done = fedloge("export", "split", *sources, "--out", out, "--complete", "--top-k", "2", "--json")
    assert (done.code, done.err) == (0, "")
    names = [Path(file["file"]).relative_to(out).as_posix() for file in done.data["files"]]
    assert names == ["backbone.onnx", "heads/device-3.onnx", "heads/device-4.onnx", "device-3.onnx", "device-4.onnx"]
    again = fedloge("export", "split", sources[1], "--out", out, "--json")
    assert [Path(file["file"]).name for file in again.data["files"]] == ["device-4.onnx"]
    assert again.data["files"][0]["record"]["options"]["top_k"] == 2
    other = fedloge("export", "split", sources[1], "--out", out, "--top-k", "3")
    assert (other.code, "asked for" in other.err) == (8, True)
    checked = fedloge("export", "verify", *(out / name for name in names), "--json")
    assert checked.code == 0
    served = fedloge("export", "triton", tmp_path / "repository", out / "heads" / "device-3.onnx", "--json")
    assert served.data["models"] == ["device-3"]


@pytest.mark.parametrize("command", ["generic", "split"])
def test_reduced_precision_without_images_is_a_wrong_command_line(fedloge: Any, artifacts: Path, command: str) -> None:
    where = ("--artifacts", artifacts) if command == "generic" else (artifacts / GENERIC_BUNDLE, "--out", artifacts)
    done = fedloge("export", command, *where, "--precision", "int8")
    assert done.code == 2
    assert "--data" in done.err


@pytest.mark.usefixtures("quick_trace")
def test_bench_prints_a_table_or_an_envelope_and_writes_a_picture(fedloge: Any, tmp_path: Path, bundle: Bundle) -> None:
    write_bundle(tmp_path / "bundle", bundle)
    quick = ("--batch", "1", "--seconds", "0.02", "--no-compile", "--no-memory")
    done = fedloge("export", "bench", tmp_path / "bundle", *quick, "--plot", tmp_path / "p.svg", "--json")
    assert done.code == 0
    assert {row["name"] for row in done.data["rows"]} >= {"eager", "cpu fp32", "cpu fp16", "cpu int8"}
    assert "torch.compile: not asked for" in done.err
    assert (tmp_path / "p.svg").read_text().startswith("<svg")


def test_help_loads_neither_torch_nor_onnx() -> None:
    code = "import sys, export.cli; print({'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("command", ["generic", "personal", "verify", "split", "bench", "triton"])
def test_every_command_has_help_with_an_example(fedloge: Any, command: str) -> None:
    done = fedloge("export", command, "--help")
    assert done.code == 0
    assert f"fedloge export {command}" in done.out
    assert "Example" in done.out
    assert "--json" in done.out
