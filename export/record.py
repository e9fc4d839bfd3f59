"""The certificate beside an exported file, as JSON: its digest, its source, and the parity it was accepted with."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from export.accuracy import Accuracy
from export.bundle import Kind, Rule
from export.graph import Part
from export.options import GraphOptions, Tolerance
from export.parity import Origin, ParityResult
from shared.errors import VerificationError
from shared.messages import RoundNumber, Sha256
from shared.metrics import Group

RECORD_VERSION: Final = 2
"""Version of the record; a reader refuses another one."""

SUFFIX: Final = ".json"
"""Appended to the exported file's whole name: ``generic.onnx`` has its record in ``generic.onnx.json``."""

MAX_RECORD_BYTES: Final = 64 * 1024
"""A record has a few KiB; what is much larger is something else, and is not read into memory."""

MAX_PARITY_IMAGES: Final = 256
"""Images compared at most: a ResNet-18 at 32 pixels takes about two seconds per side on one core."""

MAX_ACCURACY_IMAGES: Final = 1024
"""The same where accuracy decides: of fewer than 100 images, one alone is more than int8 may lose."""

FILE_NAME: Final = r"^(?!\.{1,2}$)[^/\\:\x00]{1,255}$"
"""One name within the exported file's folder: a record cannot point anywhere else."""


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bundle a file was exported from.

    Attributes:
        bundle: Name of its file, looked for in the exported file's folder; None where it was never a file.
        bundle_sha256: Of its bytes; None where the file is a head, which the digests of head and backbone determine.
        shared_digest: Of the blob with the shared tensors.
        etf_digest: Of the frozen classifier S.
        head_digest: Of the head's tensors; None where the file is a backbone alone.
        backbone_digest: Of the backbone's tensors.
    """

    bundle: Annotated[str, Meta(pattern=FILE_NAME)] | None
    bundle_sha256: Sha256 | None
    shared_digest: Sha256
    etf_digest: Sha256
    head_digest: Sha256 | None
    backbone_digest: Sha256


class OtherFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further file without which the exported one is no model.

    Attributes:
        name: In the folder of the backbone: the exported file's own, or the one above a head's.
        sha256: Of its bytes.
        size_bytes: Of it.
    """

    name: Annotated[str, Meta(pattern=FILE_NAME)]
    sha256: Sha256
    size_bytes: int


class Calibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What set the ranges of int8 activations.

    Attributes:
        num_images: The device's own training images used.
        method: How a range follows from activations.
    """

    num_images: int
    method: str


class Images(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The images the parity was measured on.

    Attributes:
        origin: "held-out", "training" or "seeded-random".
        count: How many.
        spec: Data spec of held-out or training images, where they came by one.
        seed: Of seeded-random images, which can be drawn again.
    """

    origin: Origin
    count: Annotated[int, Meta(ge=1, le=MAX_ACCURACY_IMAGES)]
    spec: str | None = None
    seed: int | None = None


class ExportRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known about an exported file.

    Attributes:
        schema_version: ``RECORD_VERSION``.
        sha256: Of the exported file.
        size_bytes: Of the exported file.
        part: What the file holds.
        others: Files it cannot do without.
        kind: "generic" or "personal"; None where the file is a backbone alone.
        rule: How its head was made; likewise.
        federation: Its federation.
        round: Last committed round that went into it.
        client: Whose it is; None for the generic model.
        source: The bundle and its digests.
        options: How the graph was written.
        images: What the parity was measured on.
        parity: The result it was accepted with; of a head, behind its backbone.
        accuracy: On labelled images; None where there were none, or the file is a backbone alone.
        tolerance: What was allowed, and why.
        class_groups: Each class's group in label order, where the accuracy is told per group.
        calibration: Of int8.
        opset: Of the graph.
        versions: Of torch, onnx and onnxruntime; they stand here and not in the exported file, whose bytes they would
            change.
    """

    schema_version: int
    sha256: Sha256
    size_bytes: int
    part: Part
    others: tuple[OtherFile, ...]
    kind: Kind | None
    rule: Rule | None
    federation: str
    round: RoundNumber
    client: str | None
    source: Source
    options: GraphOptions
    images: Images
    parity: ParityResult
    accuracy: Accuracy | None
    tolerance: Tolerance
    class_groups: tuple[Group, ...] | None
    calibration: Calibration | None
    opset: int
    versions: dict[str, str]


def record_path(path: Path) -> Path:
    """Return where the record of an exported file stands."""
    return path.with_name(path.name + SUFFIX)


def model_folder(path: Path, part: Part) -> Path:
    """Return the folder an exported file's further files are in: its own, or for a head the one above."""
    return path.parent.parent if part == "head" else path.parent


def encode_record(record: ExportRecord) -> bytes:
    """Encode as JSON, indented for readers."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def read_record(path: Path) -> ExportRecord:
    """Read the record of the exported file at ``path``.

    Raises:
        VerificationError: It is missing, too large, does not parse, or is of another version.
    """
    beside = record_path(path)
    again = "export the model again"
    try:
        with beside.open("rb") as file:
            payload = file.read(MAX_RECORD_BYTES + 1)
    except OSError as cause:
        raise VerificationError(
            f"{path} has no readable record {beside.name}: {cause.strerror or cause}", remedy=again
        ) from cause
    if len(payload) > MAX_RECORD_BYTES:
        raise VerificationError(f"{beside} has more than {MAX_RECORD_BYTES} bytes: no record", remedy=again)
    try:
        record = msgspec.json.decode(payload, type=ExportRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise VerificationError(f"{beside} is no record of an export: {cause}", remedy=again) from cause
    if record.schema_version != RECORD_VERSION:
        raise VerificationError(
            f"{beside} has schema version {record.schema_version}, this program reads {RECORD_VERSION}",
            remedy="use the version of fedloge that wrote it",
        )
    return record
