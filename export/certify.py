"""An exported file that was seen to be right, and the certificate beside it."""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch

from export.bundle import Bundle, backbone_digest, encode_bundle, head_digest
from export.graph import DEFAULT, Part
from export.options import OPSET, TOLERANCES, GraphOptions
from export.parity import Proof
from export.precision import CALIBRATION_IMAGES, METHOD
from export.record import (
    RECORD_VERSION,
    Calibration,
    ExportRecord,
    Images,
    OtherFile,
    Source,
    encode_record,
    record_path,
)
from export.runtime import load_runtime
from shared.blobs import adopt_durably, write_durably
from shared.errors import ArtifactError, ExportError
from shared.images import LabelledImages
from shared.metrics import Group


def certify(
    path: Path,
    bundle: Bundle,
    payload: bytes,
    *,
    part: Part,
    images: Images,
    proof: Proof,
    source: Path | None = None,
    options: GraphOptions = DEFAULT,
    others: tuple[OtherFile, ...] = (),
    beside: Mapping[str, bytes] | None = None,
    calibration: LabelledImages | None = None,
    class_groups: tuple[Group, ...] | None = None,
    digest: str | None = None,
) -> ExportRecord:
    """Write ``path`` and its record, if the proof passed.

    Args:
        path: Where the file goes.
        bundle: What was exported.
        payload: The file's bytes.
        part: What of a model they are.
        images: What was compared on.
        proof: How it came out.
        source: The bundle's own file, if there is one.
        options: How the graph was written.
        others: Files that are there already, without which this one is no model.
        beside: Further ones by name, to be written first.
        calibration: Training images, for int8.
        class_groups: Each class's group in label order.
        digest: The backbone's, where it is known.

    Returns:
        The record, as written.

    Raises:
        ExportError: The proof did not pass; what stood at ``path`` still stands.
        ArtifactError: A file cannot be written; likewise.
    """
    _check_passed(proof, path, options)
    written = {} if beside is None else beside
    origin = bundle.provenance
    alone = part == "backbone"
    used = calibration if options.precision == "int8" and part != "head" else None
    record = ExportRecord(
        schema_version=RECORD_VERSION,
        sha256=hashlib.sha256(payload).hexdigest(),
        size_bytes=len(payload),
        part=part,
        others=(*others, *(other_file(name, content) for name, content in written.items())),
        kind=None if alone else bundle.kind,
        rule=None if alone else bundle.rule,
        federation=origin.federation,
        round=origin.round,
        client=origin.client,
        source=_source(bundle, part, source, digest),
        options=options,
        images=images,
        parity=proof.parity,
        accuracy=proof.accuracy,
        tolerance=TOLERANCES[options.precision],
        class_groups=class_groups,
        calibration=None if used is None else Calibration(num_images=min(len(used), CALIBRATION_IMAGES), method=METHOD),
        opset=OPSET,
        versions={
            "torch": str(torch.__version__),
            "onnx": str(onnx.__version__),
            "onnxruntime": str(load_runtime().__version__),
        },
    )
    for name, content in written.items():
        write_durably(path.parent / name, content)
    _write_both(path, payload, record)
    return record


def other_file(name: str, content: bytes) -> OtherFile:
    """Return how a record names a further file."""
    return OtherFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def _source(bundle: Bundle, part: Part, file: Path | None, digest: str | None) -> Source:
    return Source(
        bundle=None if file is None else file.name,
        bundle_sha256=None if part == "head" else hashlib.sha256(encode_bundle(bundle)).hexdigest(),
        shared_digest=bundle.provenance.shared_digest,
        etf_digest=bundle.provenance.etf_digest,
        head_digest=None if part == "backbone" else head_digest(bundle.head),
        backbone_digest=digest or backbone_digest(bundle),
    )


def _check_passed(proof: Proof, path: Path, options: GraphOptions) -> None:
    if proof.passed:
        return
    raise ExportError(
        f"{path.name} was not exported: ONNX Runtime does not compute what PyTorch computes: {proof.summary()}",
        remedy="report it with the bundle; an older file, if there is one, is unchanged"
        if options.precision == "fp32"
        else "choose a higher precision, or calibrate on more images; an older file, if there is one, is unchanged",
    )


def _write_both(path: Path, payload: bytes, record: ExportRecord) -> None:
    """Write file and record; a full disk is noticed before either takes its place.

    A kill between the two renames leaves the new file beside the old record: ``verify`` says so, exporting again
    mends it.

    Raises:
        ArtifactError: A file cannot be written; what stood there before still stands.
    """
    beside = record_path(path)
    staged = beside.with_name(f".{beside.name}.staged")
    try:
        write_durably(staged, encode_record(record))
        write_durably(path, payload)
        adopt_durably(staged, beside)
    except OSError as cause:
        raise ArtifactError(f"cannot write {beside}: {cause.strerror or cause}") from cause
    finally:
        with contextlib.suppress(OSError):  # gone after the rename, or never there
            staged.unlink()
