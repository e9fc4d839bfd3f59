"""The JSON record beside an exported file: its digest, its source, and the parity it was accepted with."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from export.bundle import Kind, Rule
from export.parity import Origin, ParityResult
from shared.errors import VerificationError
from shared.messages import RoundNumber, Sha256

RECORD_VERSION: Final = 1
"""Version of the record; a reader refuses another one."""

SUFFIX: Final = ".json"
"""Appended to the exported file's whole name: ``generic.onnx`` has its record in ``generic.onnx.json``."""

MAX_RECORD_BYTES: Final = 64 * 1024
"""A record has below 2 KiB; what is much larger is something else, and is not read into memory."""

MAX_PARITY_IMAGES: Final = 256
"""Images compared at most: a ResNet-18 at 32 pixels takes about two seconds per side on one core."""

FILE_NAME: Final = r"^(?!\.{1,2}$)[^/\\:\x00]{1,255}$"
"""One name within the exported file's folder: a record cannot point anywhere else."""


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bundle a file was exported from.

    Attributes:
        bundle: Name of its file, looked for in the exported file's folder; None where it was never a file.
        bundle_sha256: Of its bytes.
        shared_digest: Of the blob with the shared tensors.
        etf_digest: Of the frozen classifier S.
        head_digest: Of the head's tensors.
    """

    bundle: Annotated[str, Meta(pattern=FILE_NAME)] | None
    bundle_sha256: Sha256
    shared_digest: Sha256
    etf_digest: Sha256
    head_digest: Sha256


class Images(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The images the parity was measured on.

    Attributes:
        origin: "held-out", "training" or "seeded-random".
        count: How many.
        spec: Data spec of held-out or training images, where they came by one.
        seed: Of seeded-random images, which can be drawn again.
    """

    origin: Origin
    count: Annotated[int, Meta(ge=1, le=MAX_PARITY_IMAGES)]
    spec: str | None = None
    seed: int | None = None


class ExportRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known about an exported file.

    Attributes:
        schema_version: ``RECORD_VERSION``.
        sha256: Of the exported file.
        size_bytes: Of the exported file.
        kind: "generic" or "personal".
        rule: How its head was made.
        federation: Its federation.
        round: Last committed round that went into it.
        client: Whose it is; None for the generic model.
        source: The bundle and its digests.
        images: What the parity was measured on.
        parity: The result it was accepted with.
        opset: Of the graph.
        versions: Of torch, onnx and onnxruntime; they stand here and not in the exported file, whose bytes they would
            change.
    """

    schema_version: int
    sha256: Sha256
    size_bytes: int
    kind: Kind
    rule: Rule
    federation: str
    round: RoundNumber
    client: str | None
    source: Source
    images: Images
    parity: ParityResult
    opset: int
    versions: dict[str, str]


def record_path(path: Path) -> Path:
    """Return where the record of an exported file stands."""
    return path.with_name(path.name + SUFFIX)


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
