"""Is an exported file what its record says? Digest, loading, and, where the source is at hand, parity once more."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import onnx
from msgspec import Struct

from export.bundle import Bundle, decode_bundle
from export.graph import INPUT, OUTPUT, metadata
from export.parity import Origin, ParityResult, compare
from export.publish import at_most, random_images
from export.record import MAX_PARITY_IMAGES, ExportRecord, Images, read_record
from export.runtime import load_runtime, open_session
from shared.errors import ExportError, VerificationError
from shared.images import LabelledImages

ImageFinder: TypeAlias = Callable[[Bundle, Images], LabelledImages | None]
"""Finds held-out images for a source, given what the record says of those it was exported with."""

AGAIN: Final = "export the model again, or restore the file"


class Verification(Struct, frozen=True, kw_only=True):
    """What was checked of one file; a check that fails is a ``VerificationError`` instead.

    Attributes:
        file: Its path.
        record: What the record says, the file's digest among it.
        checked: The checks done, in order: "digest" and "load" always, "parity" where source and images were at hand.
        not_checked: Why the parity was not recomputed; empty where it was.
        parity: The recomputed result, or None.
    """

    file: str
    record: ExportRecord
    checked: tuple[Literal["digest", "load", "parity"], ...]
    not_checked: str = ""
    parity: ParityResult | None = None

    def summary(self) -> str:
        """Return the outcome as lines for people, one per check."""
        parity = f"not recomputed: {self.not_checked}" if self.parity is None else self.parity.summary()
        return (
            f"{self.file}: verified {', '.join(self.checked)}\n"
            f"  digest: SHA-256 {self.record.sha256}, as recorded\n"
            f"  load:   by ONNX Runtime; what the file says about itself is what the record says\n"
            f"  parity: {parity}"
        )


def verify(
    path: Path, *, images: LabelledImages | ImageFinder | None = None, bundle: Path | None = None
) -> Verification:
    """Check an exported file against its record.

    Args:
        path: The exported file; its record stands beside it.
        images: Held-out images to recompute the parity on, or a function that finds them once digest and source are
            known to be right. Without any, seeded-random ones are drawn again where the record names their seed.
        bundle: The source, where it does not stand beside the file under the name in the record.

    Raises:
        VerificationError: File, record or source is missing or was changed, or the parity no longer holds.
        ExportError: ONNX Runtime is not installed, or the images do not fit the model.
    """
    load_runtime()
    record = read_record(path)
    payload = read_unchanged(path, record)
    session = load_described(path, payload, record)
    source = find_source(path, record, bundle)
    if source is None:
        return _without_parity(path, record, "its source is not at hand")
    check_metadata(path, session, metadata(source), against="its source")
    found = images(source, record.images) if callable(images) else images
    origin: Origin = "training" if callable(images) and record.images.origin == "training" else "held-out"
    if found is None and record.images.seed is not None:
        found = random_images(source.model, source.class_names, count=record.images.count, seed=record.images.seed)
        origin = "seeded-random"
    if found is None:
        return _without_parity(path, record, "no held-out images are at hand")
    parity = compare(source, session, at_most(found, MAX_PARITY_IMAGES), origin=origin)
    if not parity.passed:
        raise VerificationError(f"{path} no longer computes what PyTorch computes: {parity.summary()}", remedy=AGAIN)
    return Verification(file=str(path), record=record, checked=("digest", "load", "parity"), parity=parity)


def read_unchanged(path: Path, record: ExportRecord) -> bytes:
    """Return the file's bytes.

    Raises:
        VerificationError: They cannot be read, or are not those of the record.
    """
    try:
        payload = path.read_bytes()
    except OSError as cause:
        raise VerificationError(f"cannot read {path}: {cause.strerror or cause}", remedy=AGAIN) from cause
    found = hashlib.sha256(payload).hexdigest()
    if found != record.sha256 or len(payload) != record.size_bytes:
        raise VerificationError(
            f"{path} was changed: {len(payload)} bytes with SHA-256 {found}, its record says {record.size_bytes} bytes "
            f"with {record.sha256}",
            remedy=AGAIN,
        )
    return payload


def load_described(path: Path, payload: bytes, record: ExportRecord) -> Any:
    """Load the file on the CPU and compare what it says about itself with the record.

    Raises:
        VerificationError: The runtime refuses it, its weights are elsewhere, or it describes another model.
    """
    try:
        session = open_session(payload, device="cpu")
        outside = any(t.data_location for t in onnx.load_model_from_string(payload).graph.initializer)
    except ExportError as cause:
        raise VerificationError(f"{path}: {cause.message}", remedy=AGAIN) from cause
    names = [part.name for part in (*session.get_inputs(), *session.get_outputs())]
    if outside or names != [INPUT, OUTPUT]:
        raise VerificationError(f"{path} is no exported model: inputs and outputs {names}, weights outside: {outside}")
    expected = {
        "kind": record.kind,
        "rule": record.rule,
        "federation": record.federation,
        "round": str(record.round),
        "client": record.client or "",
        "shared_digest": record.source.shared_digest,
        "etf_digest": record.source.etf_digest,
        "head_digest": record.source.head_digest,
    }
    check_metadata(path, session, expected, against="its record")
    return session


def check_metadata(path: Path, session: Any, expected: dict[str, str], *, against: str) -> None:
    """Compare the file's metadata with what it should be.

    Raises:
        VerificationError: A value differs; the message names the first.
    """
    found = session.get_modelmeta().custom_metadata_map
    for key, value in expected.items():
        if found.get(key) != value:
            raise VerificationError(f"{path} says {key} {found.get(key)!r}, {against} says {value!r}", remedy=AGAIN)


def find_source(path: Path, record: ExportRecord, bundle: Path | None) -> Bundle | None:
    """Return the bundle the file was exported from, or None where it is not at hand.

    Raises:
        VerificationError: A bundle named by the caller is missing, or the one found is not the file's source.
    """
    beside = None if record.source.bundle is None else path.parent / record.source.bundle
    place = bundle or beside
    if place is None:
        return None
    try:
        payload = place.read_bytes()
    except FileNotFoundError:
        if bundle is None:
            return None
        raise VerificationError(f"{bundle} is missing", remedy="name the bundle the file was exported from") from None
    except OSError as cause:
        raise VerificationError(f"cannot read {place}: {cause.strerror or cause}") from cause
    found = hashlib.sha256(payload).hexdigest()
    if found != record.source.bundle_sha256:
        raise VerificationError(
            f"{place} is the wrong source: its SHA-256 is {found}, {path.name} was exported from "
            f"{record.source.bundle_sha256}",
            remedy="a later round may have replaced it: export the model again",
        )
    try:
        return decode_bundle(payload, origin=str(place))
    except ExportError as cause:
        raise VerificationError(cause.message, remedy=cause.remedy) from cause


def _without_parity(path: Path, record: ExportRecord, reason: str) -> Verification:
    return Verification(file=str(path), record=record, checked=("digest", "load"), not_checked=reason)
