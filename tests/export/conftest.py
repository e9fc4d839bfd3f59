"""One bundle and its graph for the tests that need any: tracing takes seconds, so it is done once."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from onnx import ModelProto

from export.bundle import Bundle, write_bundle
from export.graph import to_onnx
from export.publish import export_model
from export.tracing import trace
from tests.export.samples import make_bundle, make_images


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return make_bundle()


@pytest.fixture(scope="session")
def graph(bundle: Bundle) -> bytes:
    return to_onnx(bundle)


@pytest.fixture(scope="session")
def traced(bundle: Bundle) -> ModelProto:
    return trace(bundle)


@pytest.fixture
def quick_trace(traced: ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every graph of the sample's backbone be made from one trace of it."""

    def copied(_bundle: Bundle) -> ModelProto:
        copy = ModelProto()
        copy.CopyFrom(traced)
        return copy

    monkeypatch.setattr("export.graph.trace", copied)


@pytest.fixture
def traced_once(graph: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``export_model`` take the graph that was already traced from the same bundle."""
    monkeypatch.setattr("export.publish.to_onnx", lambda *_args, **_options: graph)


@dataclass(frozen=True)
class Exported:
    """An exported file with its record and its source beside it."""

    path: Path
    record: Path
    source: Path


@pytest.fixture
def exported(tmp_path: Path, bundle: Bundle, graph: bytes, monkeypatch: pytest.MonkeyPatch) -> Exported:
    monkeypatch.setattr("export.publish.to_onnx", lambda *_args, **_options: graph)
    folder = tmp_path / "models"
    path, source = folder / "personal.onnx", folder / "personal.bundle.safetensors"
    write_bundle(source, bundle)
    export_model(bundle, images=make_images(), images_source="held-out", path=path, source=source)
    return Exported(path=path, record=folder / "personal.onnx.json", source=source)
