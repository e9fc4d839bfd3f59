"""Every message on the wire, as JSON with exactly these fields; the README's table is tested against this file.

Control messages are small and may be lost or repeated: each can be sent again without harm. Tensors never travel in
them, but as blobs that the receiver pulls chunk by chunk (``shared.transfer``).
"""

from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from shared.errors import MessageError
from shared.limits import MAX_BLOB_BYTES, MAX_CHUNKS_IN_MANIFEST, MAX_MESSAGE_BYTES
from shared.settings import Codec, SharedSettings

Sha256: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
ChunkDigest: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
RoundNumber: TypeAlias = Annotated[int, Meta(ge=0, lt=2**31)]
TransferId: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
ChunkIndex: TypeAlias = Annotated[int, Meta(ge=0, lt=2**31)]
Accuracy: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
ShortText: TypeAlias = Annotated[str, Meta(max_length=500)]


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a blob is, so that a receiver can refuse it before a byte of it travels.

    Attributes:
        blob: SHA-256 of the bytes: the blob's name.
        size: Bytes.
        chunk: Bytes per chunk; the last one may be smaller.
        digests: First 16 bytes of the SHA-256 of every chunk, in order; with a ``digest_list`` those of that list's
            own chunks.
        digest_list: Where a blob has more chunks than a manifest can list: SHA-256 of their digests, 16 bytes each in
            order, a blob that is pulled first, in chunks of the same size.
        codec: How the bytes encode tensors (``shared.encoding``).
    """

    blob: Sha256
    size: Annotated[int, Meta(ge=1, le=MAX_BLOB_BYTES)]
    chunk: Annotated[int, Meta(ge=1024, le=1024 * 1024)]
    digests: Annotated[tuple[ChunkDigest, ...], Meta(min_length=1, max_length=MAX_CHUNKS_IN_MANIFEST)]
    digest_list: Sha256 | None = None
    codec: Codec = "safetensors"


class Get(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver's word: send these chunks, or: I have them all, or: I give up.

    Attributes:
        transfer: The receiver's number for this pull, repeated in every chunk's header.
        blob: Which blob.
        ranges: Half-open ranges of chunk indexes wanted.
        credit: Chunks the sender may send for this request.
        state: "want" asks, "done" and "failed" end the transfer.
        reason: Why it failed.
    """

    transfer: TransferId
    blob: Sha256
    ranges: Annotated[tuple[tuple[ChunkIndex, ChunkIndex], ...], Meta(max_length=MAX_CHUNKS_IN_MANIFEST)] = ()
    credit: Annotated[int, Meta(ge=0, le=64)] = 0
    state: Literal["want", "done", "failed"] = "want"
    reason: ShortText = ""


class Gone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="gone"):
    """The sender no longer has the blob that was asked for."""

    blob: Sha256


class Presence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent says hello, is ready to train, or, as its last will, is gone.

    Attributes:
        client: Its id.
        state: "online" asks for the settings, "ready" says that its images fit them, "offline" is the goodbye.
        session: Drawn anew at every start: tells a restart from a repeated message.
    """

    client: str
    state: Literal["online", "ready", "offline"]
    session: str


class CoordinatorPresence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The coordinator is up, or is not; ``session`` is drawn anew at every start."""

    state: Literal["up", "down"]
    session: str


class Welcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="welcome"):
    """The answer to an agent that came online: the federation's settings and the frozen classifier S."""

    settings: SharedSettings
    etf: Manifest


class TrainTask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="train"):
    """Train this round.

    Attributes:
        round: Counted from 1.
        model: Blob of the round's shared tensors: backbone and global head.
        deadline_seconds: Time left when the message was sent.
        wave: The model's chunks are being broadcast: listen, and ask only for what did not come.
    """

    round: RoundNumber
    model: Manifest
    deadline_seconds: float
    wave: bool = False


class FinishTask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="finish"):
    """Training is over: realign, evaluate, export, report. ``round`` is the last one committed."""

    round: RoundNumber
    model: Manifest
    deadline_seconds: float
    wave: bool = False


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="receipt"):
    """What became of an update; "accepted" means it is on the coordinator's disk and in its database."""

    round: RoundNumber
    blob: Sha256
    accepted: bool
    reason: ShortText = ""


class Goodbye(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="goodbye"):
    """The federation is complete and this agent's report is recorded: it may stop."""

    reason: ShortText = ""


Command: TypeAlias = Welcome | TrainTask | FinishTask | Receipt | Goodbye | Gone
"""What travels on ``a/{client}/down/cmd``."""


class Groups(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accuracy per class group; None where the client has no held-out image of it."""

    head: Accuracy | None = None
    medium: Accuracy | None = None
    tail: Accuracy | None = None


class ClientFigures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scalars a client measured on its own held-out images.

    Attributes:
        num_images: How many held-out images.
        generic: Accuracy of the generic model, 0..1.
        personal: Accuracy of the personal model.
        alone: Accuracy of a model trained on this device alone, where asked for.
        generic_groups: Per class group, only with ``report_groups``.
        personal_groups: Likewise.
    """

    num_images: Annotated[int, Meta(ge=0, lt=2**31)]
    generic: Accuracy | None = None
    personal: Accuracy | None = None
    alone: Accuracy | None = None
    generic_groups: Groups | None = None
    personal_groups: Groups | None = None


class CurrentModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model that serves on a device, as its certificate sums it up; the file itself stays there.

    Attributes:
        digest: SHA-256 of the ONNX file.
        kind: "personal", or "generic" where the personal model was refused or none was made yet.
        round: Last committed round that went into it.
        max_abs_error: Largest |dlogit| between ONNX Runtime and PyTorch.
        accuracy: Of the ONNX file on the client's held-out images; None without any.
    """

    digest: Sha256
    kind: Literal["generic", "personal"]
    round: RoundNumber
    max_abs_error: Annotated[float, Meta(ge=0)]
    accuracy: Accuracy | None = None


class UpdateOffer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="update"):
    """A round's update is ready to be pulled.

    Attributes:
        client: Sender; must be the lane's.
        round: The round it answers.
        base: Blob of the model it was trained from.
        num_examples: Training images, the update's weight.
        payload: The blob: the change of every shared tensor.
        figures: The *received* model on the client's held-out images, before training.
    """

    client: str
    round: RoundNumber
    base: Sha256
    num_examples: Annotated[int, Meta(ge=1, lt=2**31)]
    payload: Manifest
    figures: ClientFigures


class FinalReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="report"):
    """The client's figures of the final models, and the digest of its personal ONNX file.

    Attributes:
        client: Sender.
        round: Last committed round.
        figures: On its held-out images.
        onnx: SHA-256 of the exported file, which itself stays on the device.
        head_note: How the personal head came to the final backbone, such as "caught up from round 7".
        current: The model that serves on the device now.
    """

    client: str
    round: RoundNumber
    figures: ClientFigures
    onnx: Sha256
    head_note: ShortText
    current: CurrentModel | None = None


class Failure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failure"):
    """The client cannot do what it was asked.

    Attributes:
        client: Sender.
        round: The round of the task.
        reason: For the operator; no path, class or count of the device.
        current: The model that serves on the device all the same.
    """

    client: str
    round: RoundNumber
    reason: ShortText
    current: CurrentModel | None = None


class ModelReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="model"):
    """The model that serves on a device; said at every start, since it may have changed without a round."""

    client: str
    current: CurrentModel


Offer: TypeAlias = UpdateOffer | FinalReport | Failure | ModelReport | Gone
"""What travels on ``a/{client}/up/manifest``."""

MessageType = TypeVar("MessageType")


def encode_message(message: Struct) -> bytes:
    """Encode a message as JSON.

    Raises:
        MessageError: It is larger than a peer accepts.
    """
    payload = msgspec.json.encode(message)
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageError(f"{type(message).__name__} of {len(payload)} bytes exceeds {MAX_MESSAGE_BYTES}")
    return payload


def decode_message(payload: bytes, expected: type[MessageType]) -> MessageType:
    """Decode one message; an unknown, missing or ill-typed field is an error.

    Args:
        payload: Bytes as they came.
        expected: A message class, or a union of tagged ones (``Command``, ``Offer``).

    Raises:
        MessageError: The bytes are no such message.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageError(f"message of {len(payload)} bytes exceeds {MAX_MESSAGE_BYTES}")
    try:
        return msgspec.json.decode(payload, type=expected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:  # a key that is no UTF-8: the second
        raise MessageError(f"message does not parse: {cause}") from cause
