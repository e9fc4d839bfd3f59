"""Export one bundle: build the graph, load it, compare it with PyTorch, and only then call it exported."""

import contextlib
import hashlib
from pathlib import Path
from typing import Final, get_args

import onnx
import torch

from export.bundle import Bundle, backbone_digest, encode_bundle, head_digest
from export.graph import DEFAULT, Part, to_onnx
from export.options import OPSET, TOLERANCES, GraphOptions
from export.parity import Origin, Proof, prove
from export.precision import CALIBRATION_IMAGES, METHOD
from export.record import (
    MAX_ACCURACY_IMAGES,
    MAX_PARITY_IMAGES,
    RECORD_VERSION,
    Calibration,
    ExportRecord,
    Images,
    OtherFile,
    Source,
    encode_record,
    record_path,
)
from export.running import open_proving
from export.runtime import load_runtime
from shared.blobs import adopt_durably, write_durably
from shared.errors import ArtifactError, ExportError
from shared.images import LabelledImages
from shared.metrics import Group
from shared.seeds import generator
from shared.settings import ModelSettings

RANDOM_IMAGES: Final = 64
"""Images drawn where there are none: uniform noise excites every unit, and few images suffice."""


def export_model(
    bundle: Bundle,
    *,
    images: LabelledImages,
    images_source: str,
    path: Path,
    source: Path | None = None,
    options: GraphOptions = DEFAULT,
    calibration: LabelledImages | None = None,
    class_groups: tuple[Group, ...] | None = None,
) -> ExportRecord:
    """Write ``path`` and its record, after ONNX Runtime was seen to compute on the CPU what PyTorch computes.

    Args:
        bundle: What to export.
        images: What to compare on; of more than ``most_images(options)``, as many are taken in even steps.
        images_source: Where they come from, for the record: "held-out" or "training", each also with ":SPEC" behind it,
            or "seeded-random:SEED" for images made by ``random_images`` with that seed.
        path: The exported file; its folder is created.
        source: The bundle's own file, by whose name ``verify`` finds it when it stands in the folder of ``path``.
        options: How to write the graph.
        calibration: The device's own training images, for int8.
        class_groups: Each class's group in label order, to tell the accuracy per group.

    Returns:
        The record, as written.

    Raises:
        ExportError: The model or the options were refused; a file that stood at ``path`` still stands.
        ArtifactError: A file cannot be written; likewise.
    """
    used = at_most(images, most_images(options))
    described = describe_images(images_source, count=len(used))
    check_labelled(options, described)
    payload = to_onnx(bundle, options, calibration=calibration)
    proof = prove(bundle, open_proving(payload), used, origin=described.origin, options=options, groups=class_groups)
    record = make_record(
        bundle,
        payload,
        part="single",
        images=described,
        proof=accepted(proof, path, options),
        source=source,
        options=options,
        calibration=calibration,
        class_groups=class_groups,
    )
    write_both(path, payload, record)
    return record


def accepted(proof: Proof, path: Path, options: GraphOptions) -> Proof:
    """Return a proof that passed.

    Raises:
        ExportError: It did not.
    """
    if proof.passed:
        return proof
    raise ExportError(
        f"{path.name} was not exported: ONNX Runtime does not compute what PyTorch computes: {proof.summary()}",
        remedy="report it with the bundle; an older file, if there is one, is unchanged"
        if options.precision == "fp32"
        else "choose a higher precision, or calibrate on more images; an older file, if there is one, is unchanged",
    )


def check_labelled(options: GraphOptions, images: Images) -> None:
    """Refuse to judge by accuracy where images have no labels.

    Raises:
        ExportError: fp16 or int8 on random images.
    """
    if TOLERANCES[options.precision].accuracy_points is not None and images.origin == "seeded-random":
        raise ExportError(
            f"{options.precision} is judged by its accuracy, and random images have no labels",
            remedy="name labelled images, with --data on the command line",
        )


def make_record(
    bundle: Bundle,
    payload: bytes,
    *,
    part: Part,
    images: Images,
    proof: Proof,
    source: Path | None,
    options: GraphOptions = DEFAULT,
    others: tuple[OtherFile, ...] = (),
    calibration: LabelledImages | None = None,
    class_groups: tuple[Group, ...] | None = None,
    digest: str | None = None,
) -> ExportRecord:
    """Return the record of an exported file's bytes; ``digest`` is the backbone's, where it is known."""
    origin = bundle.provenance
    alone = part == "backbone"
    used = calibration if options.precision == "int8" and part != "head" else None
    return ExportRecord(
        schema_version=RECORD_VERSION,
        sha256=hashlib.sha256(payload).hexdigest(),
        size_bytes=len(payload),
        part=part,
        others=others,
        kind=None if alone else bundle.kind,
        rule=None if alone else bundle.rule,
        federation=origin.federation,
        round=origin.round,
        client=origin.client,
        source=Source(
            bundle=None if source is None else source.name,
            bundle_sha256=None if part == "head" else hashlib.sha256(encode_bundle(bundle)).hexdigest(),
            shared_digest=origin.shared_digest,
            etf_digest=origin.etf_digest,
            head_digest=None if alone else head_digest(bundle.head),
            backbone_digest=digest or backbone_digest(bundle),
        ),
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


def most_images(options: GraphOptions) -> int:
    """Return how many images are compared at most: more where their labels decide."""
    return MAX_PARITY_IMAGES if TOLERANCES[options.precision].accuracy_points is None else MAX_ACCURACY_IMAGES


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
