"""Export one bundle: build the graph, load it, compare it with PyTorch, and only then call it exported."""

import contextlib
import hashlib
from pathlib import Path
from typing import Final, get_args

import onnx
import torch

from export.bundle import Bundle, encode_bundle, head_digest
from export.graph import OPSET, to_onnx
from export.parity import Origin, ParityResult, compare
from export.record import MAX_PARITY_IMAGES, RECORD_VERSION, ExportRecord, Images, Source, encode_record, record_path
from export.runtime import load_runtime, open_session
from shared.blobs import adopt_durably, write_durably
from shared.errors import ArtifactError, ExportError
from shared.images import LabelledImages
from shared.seeds import generator
from shared.settings import ModelSettings

RANDOM_IMAGES: Final = 64
"""Images drawn where there are none: uniform noise excites every unit, and few images suffice."""


def export_model(
    bundle: Bundle, *, images: LabelledImages, images_source: str, path: Path, source: Path | None = None
) -> ExportRecord:
    """Write ``path`` and its record, after ONNX Runtime was seen to compute on the CPU what PyTorch computes.

    Args:
        bundle: What to export.
        images: What to compare on; of more than ``MAX_PARITY_IMAGES``, as many are taken in even steps.
        images_source: Where they come from, for the record: "held-out" or "training", each also with ":SPEC" behind it,
            or "seeded-random:SEED" for images made by ``random_images`` with that seed.
        path: The exported file; its folder is created.
        source: The bundle's own file, by whose name ``verify`` finds it when it stands in the folder of ``path``.

    Returns:
        The record, as written.

    Raises:
        ExportError: The model was refused; a file that stood at ``path`` still stands.
        ArtifactError: A file cannot be written; likewise.
    """
    used = at_most(images, MAX_PARITY_IMAGES)
    described = describe_images(images_source, count=len(used))
    payload = to_onnx(bundle)
    parity = compare(bundle, open_session(payload, device="cpu"), used, origin=described.origin)
    if not parity.passed:
        raise ExportError(
            f"{path.name} was not exported: ONNX Runtime does not compute what PyTorch computes: {parity.summary()}",
            remedy="report it with the bundle; an older file, if there is one, is unchanged",
        )
    record = make_record(bundle, payload, images=described, parity=parity, source=source)
    write_both(path, payload, record)
    return record


def make_record(
    bundle: Bundle, payload: bytes, *, images: Images, parity: ParityResult, source: Path | None
) -> ExportRecord:
    """Return the record of an exported file's bytes."""
    origin = bundle.provenance
    return ExportRecord(
        schema_version=RECORD_VERSION,
        sha256=hashlib.sha256(payload).hexdigest(),
        size_bytes=len(payload),
        kind=bundle.kind,
        rule=bundle.rule,
        federation=origin.federation,
        round=origin.round,
        client=origin.client,
        source=Source(
            bundle=None if source is None else source.name,
            bundle_sha256=hashlib.sha256(encode_bundle(bundle)).hexdigest(),
            shared_digest=origin.shared_digest,
            etf_digest=origin.etf_digest,
            head_digest=head_digest(bundle.head),
        ),
        images=images,
        parity=parity,
        opset=OPSET,
        versions={
            "torch": str(torch.__version__),
            "onnx": str(onnx.__version__),
            "onnxruntime": str(load_runtime().__version__),
        },
    )


def write_both(path: Path, payload: bytes, record: ExportRecord) -> None:
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


def random_images(
    model: ModelSettings, class_names: tuple[str, ...], *, count: int = RANDOM_IMAGES, seed: int = 0
) -> LabelledImages:
    """Draw uniform noise, for a coordinator without evaluation data; the same seed gives the same images anywhere."""
    shape = (count, model.channels, model.image_size, model.image_size)
    pixels = torch.randint(0, 256, shape, generator=generator(seed, "parity images"), dtype=torch.uint8)
    return LabelledImages(images=pixels, labels=torch.zeros(count, dtype=torch.int64), class_names=class_names)


def at_most(images: LabelledImages, count: int) -> LabelledImages:
    """Return ``count`` images in even steps, since a source may be sorted by class; all where there are fewer."""
    if len(images) <= count:
        return images
    return images.select(torch.arange(count) * len(images) // count)


def describe_images(text: str, *, count: int) -> Images:
    """Parse ``images_source`` of ``export_model``.

    Raises:
        ExportError: It is none of its forms, or there is no image.
    """
    origin, _, rest = text.partition(":")
    if origin not in get_args(Origin) or (origin == "seeded-random") != rest.isdecimal() or count < 1:
        raise ExportError(
            f"{count} images from {text!r}: expected at least one, "
            "from 'held-out', 'held-out:SPEC', 'training', 'training:SPEC' or 'seeded-random:SEED'"
        )
    if origin == "seeded-random":
        return Images(origin="seeded-random", count=count, seed=int(rest))
    return Images(origin="training" if origin == "training" else "held-out", count=count, spec=rest or None)
