"""An exported file and all it cannot do without, in memory: unchanged since its certificate, screened, as described."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from onnx import ModelProto

from export.answering import FEATURES
from export.layout import BACKBONE, WEIGHTS
from export.preprocessing import IMAGES
from export.record import ExportRecord, OtherFile, model_folder, read_record
from export.running import Chain, answer_names, open_proving
from export.runtime import open_session
from export.screening import screen
from shared.errors import ExportError, VerificationError

AGAIN: Final = "export the model again, or restore the file"

NEEDS: Final[dict[str, frozenset[str]]] = {
    "single": frozenset(),
    "backbone": frozenset({WEIGHTS}),
    "complete": frozenset({WEIGHTS}),
    "head": frozenset({BACKBONE, WEIGHTS}),
}
"""Files that each part of a model needs: a record that names any other is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was read and checked.

    Attributes:
        path: The exported file.
        record: Its certificate.
        payload: Its bytes.
        others: Bytes of the files it needs, by name.
    """

    path: Path
    record: ExportRecord
    payload: bytes
    others: Mapping[str, bytes]

    def session(self) -> Any:
        """Open the model on the CPU, its logits readable: ``images`` in; a head stands behind its backbone.

        Raises:
            VerificationError: The runtime refuses it.
        """
        external = {WEIGHTS: self.others[WEIGHTS]} if WEIGHTS in self.others else {}
        try:
            if self.record.part != "head":
                return open_proving(self.payload, external=external)
            backbone = open_session(self.others[BACKBONE], device="cpu", external=external)
            return Chain(backbone, open_proving(self.payload))
        except ExportError as cause:
            raise VerificationError(f"{self.path}: {cause.message}", remedy=AGAIN) from cause


def load(path: Path) -> Loaded:
    """Read an exported file and what it needs; the runtime has seen none of it yet.

    Raises:
        VerificationError: File, certificate or a further file is missing, was changed, is none that this package
            writes, or describes another model than the certificate.
    """
    record = read_record(path)
    payload = read_unchanged(path, sha256=record.sha256, size_bytes=record.size_bytes)
    others = _read_others(path, record)
    external = {WEIGHTS: len(others[WEIGHTS])} if WEIGHTS in others else {}
    proto = screen(payload, name=str(path), external={} if record.part == "head" else external)
    check_described(path, proto, record)
    if BACKBONE in others:
        screen(others[BACKBONE], name=BACKBONE, external=external)
    return Loaded(path=path, record=record, payload=payload, others=others)


def read_unchanged(path: Path, *, sha256: str, size_bytes: int) -> bytes:
    """Return a file's bytes.

    Raises:
        VerificationError: They cannot be read, or are not those of the record.
    """
    try:
        if path.stat().st_size != size_bytes:
            raise VerificationError(
                f"{path} was changed: it has {path.stat().st_size} bytes, its record says {size_bytes}", remedy=AGAIN
            )
        payload = path.read_bytes()
    except OSError as cause:
        raise VerificationError(f"cannot read {path}: {cause.strerror or cause}", remedy=AGAIN) from cause
    found = hashlib.sha256(payload).hexdigest()
    if found != sha256:
        raise VerificationError(f"{path} was changed: its SHA-256 is {found}, its record says {sha256}", remedy=AGAIN)
    return payload


def described(proto: ModelProto) -> dict[str, str]:
    """Return what a graph says about itself."""
    return {entry.key: entry.value for entry in proto.metadata_props}


def check_metadata(path: Path, found: Mapping[str, str], expected: Mapping[str, str], *, against: str) -> None:
    """Compare the file's metadata with what it should be.

    Raises:
        VerificationError: A value differs; the message names the first.
    """
    for key, value in expected.items():
        if found.get(key) != value:
            raise VerificationError(f"{path} says {key} {found.get(key)!r}, {against} says {value!r}", remedy=AGAIN)


def _read_others(path: Path, record: ExportRecord) -> dict[str, bytes]:
    named: dict[str, OtherFile] = {other.name: other for other in record.others}
    if named.keys() != NEEDS[record.part]:
        raise VerificationError(
            f"{path} is a {record.part} and needs {sorted(NEEDS[record.part])}, its record names {sorted(named)}",
            remedy=AGAIN,
        )
    folder = model_folder(path, record.part)
    return {
        name: read_unchanged(folder / name, sha256=other.sha256, size_bytes=other.size_bytes)
        for name, other in named.items()
    }


def check_described(path: Path, proto: ModelProto, record: ExportRecord) -> None:
    """Refuse a file whose inputs, outputs or description are not the record's."""
    part = record.part
    inputs = [FEATURES if part == "head" else IMAGES]
    outputs = [FEATURES] if part == "backbone" else list(answer_names(record.options))
    found = [value.name for value in proto.graph.input], [value.name for value in proto.graph.output]
    if found != (inputs, outputs):
        raise VerificationError(
            f"{path} has inputs {found[0]} and outputs {found[1]}, a {part} has {inputs} and {outputs}", remedy=AGAIN
        )
    expected = {
        "part": part,
        "federation": record.federation,
        "round": str(record.round),
        "client": record.client or "",
        "shared_digest": record.source.shared_digest,
        "backbone_digest": record.source.backbone_digest,
        "options": msgspec.json.encode(record.options).decode(),
    }
    if part != "backbone":
        expected |= {
            "kind": str(record.kind),
            "rule": str(record.rule),
            "etf_digest": record.source.etf_digest,
            "head_digest": str(record.source.head_digest),
        }
    check_metadata(path, described(proto), expected, against="its record")
