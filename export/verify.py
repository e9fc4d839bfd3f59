"""Is an exported file what its record says? Digest, loading, and, where the source is at hand, parity once more."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import onnx
from msgspec import Struct

from export.accuracy import Accuracy
from export.bundle import Bundle, decode_bundle
from export.graph import metadata
from export.loading import AGAIN, Loaded, check_metadata, described, load
from export.parity import Origin, ParityResult, Proof, prove
from export.publish import at_most, most_images, random_images
from export.record import ExportRecord, Images
from export.runtime import load_runtime
from export.split import prove_backbone
from shared.errors import ExportError, VerificationError
from shared.images import LabelledImages

ImageFinder: TypeAlias = Callable[[Bundle, Images], LabelledImages | None]
"""Finds held-out images for a source, given what the record says of those it was exported with."""


class Verification(Struct, frozen=True, kw_only=True):
    """What was checked of one file; a check that fails is a ``VerificationError`` instead.

    Attributes:
        file: Its path.
        record: What the record says, the file's digest among it.
        checked: The checks done, in order: "digest" and "load" always, "parity" where source and images were at hand.
        not_checked: Why the parity was not recomputed; empty where it was.
        parity: The recomputed result, or None.
        accuracy: Likewise, or None.
    """

    file: str
    record: ExportRecord
    checked: tuple[Literal["digest", "load", "parity"], ...]
    not_checked: str = ""
    parity: ParityResult | None = None
    accuracy: Accuracy | None = None

    def summary(self) -> str:
        """Return the outcome as lines for people, one per check."""
        parity = f"not recomputed: {self.not_checked}" if self.parity is None else self.parity.summary()
        lines = [
            f"{self.file}: verified {', '.join(self.checked)}",
            f"  digest: SHA-256 {self.record.sha256}, as recorded",
            "  load:   by ONNX Runtime; what the file says about itself is what the record says",
            f"  parity: {parity}",
        ]
        return "\n".join(lines if self.accuracy is None else [*lines, f"  labels: {self.accuracy.summary()}"])


def verify(
    path: Path, *, images: LabelledImages | ImageFinder | None = None, bundle: Path | None = None
) -> Verification:
    """Check an exported file against its record.

    Args:
        path: The exported file, of any part; its record stands beside it, what it needs in its place.
        images: Held-out images to recompute the parity on, or a function that finds them once digest and source are
            known to be right. Without any, seeded-random ones are drawn again where the record names their seed.
        bundle: The source, where it does not stand beside the file under the name in the record.

    Raises:
        VerificationError: File, record or source is missing or was changed, or the parity no longer holds.
        ExportError: ONNX Runtime is not installed, or the images do not fit the model.
    """
    load_runtime()
    loaded = load(path)
    record, session = loaded.record, loaded.session()
    source = find_source(path, record, bundle)
    if source is None:
        return _without_parity(path, record, "its source is not at hand")
    said = described(onnx.load_model_from_string(loaded.payload))
    check_metadata(path, said, metadata(source, record.options, part=record.part), against="its source")
    found = images(source, record.images) if callable(images) else images
    origin: Origin = "training" if callable(images) and record.images.origin == "training" else "held-out"
    if found is None and record.images.seed is not None:
        found = random_images(source.model, source.class_names, count=record.images.count, seed=record.images.seed)
        origin = "seeded-random"
    if found is None:
        return _without_parity(path, record, "no held-out images are at hand")
    proof = _prove_again(loaded, session, source, at_most(found, most_images(record.options)), origin)
    if not proof.passed:
        raise VerificationError(f"{path} no longer computes what PyTorch computes: {proof.summary()}", remedy=AGAIN)
    return Verification(
        file=str(path),
        record=record,
        checked=("digest", "load", "parity"),
        parity=proof.parity,
        accuracy=proof.accuracy,
    )


def _prove_again(loaded: Loaded, session: Any, source: Bundle, images: LabelledImages, origin: Origin) -> Proof:
    record = loaded.record
    if record.part == "backbone":
        return prove_backbone(source, session, images, origin=origin, options=record.options)
    return prove(source, session, images, origin=origin, options=record.options, groups=record.class_groups)


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
    if record.source.bundle_sha256 is not None and found != record.source.bundle_sha256:
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
