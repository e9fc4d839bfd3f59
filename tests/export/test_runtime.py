"""The runtime is found without a word on stderr, or its absence is one line with the remedy."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from export import runtime
from export.bundle import Bundle
from export.runtime import cuda_loads, load_runtime, open_session
from shared.errors import ExportError

ROOT = Path(__file__).resolve().parents[2]

OPEN_TWICE = """
import sys
from pathlib import Path
from export.runtime import open_session
for device in ("auto", "cpu"):
    print(open_session(Path(sys.argv[1]), device=device).get_providers()[0])
"""


def fake_ort(*, providers: tuple[str, ...] = ("CUDAExecutionProvider",), cuda: str = "13.0") -> SimpleNamespace:
    return SimpleNamespace(get_available_providers=lambda: list(providers), cuda_version=cuda)


def test_a_session_opens_without_a_word_on_stderr(tmp_path: Path, graph: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph)
    command = [sys.executable, "-c", OPEN_TWICE, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    providers = done.stdout.split()
    assert providers[1] == "CPUExecutionProvider"
    assert providers[0] in {"CPUExecutionProvider", "CUDAExecutionProvider"}


def test_a_path_and_its_bytes_open_alike(tmp_path: Path, graph: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph)
    of_path, of_bytes = open_session(path, device="cpu"), open_session(graph, device="cpu")
    assert of_path.get_modelmeta().custom_metadata_map == of_bytes.get_modelmeta().custom_metadata_map


def test_cuda_is_not_asked_for_without_its_provider_or_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_loads", lambda _library: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert cuda_loads(fake_ort())
    assert not cuda_loads(fake_ort(providers=("CPUExecutionProvider",)))
    assert not cuda_loads(fake_ort(cuda="14.1"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not cuda_loads(fake_ort())


@pytest.mark.parametrize("missing", ["libcuda.so.1", "libcudnn.so.9", "libcurand.so.10", "libcublas.so.13"])
def test_cuda_is_not_asked_for_when_one_library_does_not_load(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(runtime, "_loads", lambda library: library != missing)
    assert not cuda_loads(fake_ort())


def test_a_library_that_does_not_exist_does_not_load() -> None:
    assert not runtime._loads("libfedloge-absent.so.0")


def test_two_runtimes_in_one_environment_are_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_is_installed", lambda _name: True)
    with pytest.raises(ExportError, match="both installed") as caught:
        load_runtime()
    assert "pip uninstall" in caught.value.remedy


def test_no_runtime_at_all_names_the_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_is_installed", lambda _name: False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError) as caught:
        load_runtime()
    assert "pip install 'fedloge[gpu]'" in caught.value.remedy
    assert "[cpu]" in caught.value.remedy


@pytest.mark.parametrize("payload", [b"", b"no model", b"\x08\x08" * 40])
def test_bytes_that_are_no_model_are_one_line(payload: bytes) -> None:
    with pytest.raises(ExportError, match=r"^ONNX Runtime cannot load [^\n]*$"):
        open_session(payload)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot load"):
        open_session(tmp_path / "absent.onnx")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
def test_cuda_computes_the_same_labels(bundle: Bundle, graph: bytes) -> None:
    from export.parity import compare
    from tests.export.samples import make_images

    if not cuda_loads(load_runtime()):
        pytest.skip("not run: ONNX Runtime's CUDA libraries do not load")
    result = compare(bundle, open_session(graph), make_images(count=64), origin="held-out")
    assert result.provider == "CUDAExecutionProvider"
    assert result.label_agreement == 1.0
