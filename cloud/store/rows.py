"""What a store holds, as values: rounds, participants, clients, reports and the federation itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cloud.plan import RoundPlan
from shared.messages import ClientFigures

UpdateState = Literal["accepted", "rejected", "failed", "late"]
ParticipantState = Literal["waiting", "accepted", "rejected", "failed", "missing"]
RoundState = Literal["open", "committed"]
Stage = Literal["told", "offered"]
"""How far a participant came before its fate was settled: told to train, or its update offered and being pulled."""

FederationState = Literal["joining", "training", "finishing", "complete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRecord:
    """What became of one update.

    Attributes:
        client: Sender.
        state: "accepted", "rejected" (by validation), "failed" (the client said so) or "late" (round was closed).
        reason: Stable code and words for the operator; empty when accepted.
        blob: SHA-256 of the update's bytes in the spool, or None.
        num_examples: Its weight; 0 where none was told.
        size_bytes: Size of the update's bytes.
        figures: What the client measured of the model it received.
    """

    client: str
    state: UpdateState
    reason: str = ""
    blob: str | None = None
    num_examples: int = 0
    size_bytes: int = 0
    figures: ClientFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One selected client's part in a round.

    ``record`` is None while it is waited for, and of a missing one unless its update came late; ``stage`` says how far
    it came, None before it was told, and ``stage_at`` since when.
    """

    client: str
    state: ParticipantState
    record: UpdateRecord | None = None
    stage: Stage | None = None
    stage_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The generic model on the coordinator's labelled images.

    Attributes:
        accuracy: 0..1.
        groups: Accuracy of "head", "medium", "tail", where class counts are known.
        per_class: Accuracy per class in label order; None where the class has no image.
        rules: Accuracy of every generic rule, for the record; nothing is chosen by it.
    """

    accuracy: float
    groups: Mapping[str, float | None] = field(default_factory=dict)
    per_class: Sequence[float | None] = ()
    rules: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a commit records, together with the state changes it implies.

    Attributes:
        round_number: Which round; 0 is the initial model.
        blob: SHA-256 of the new shared tensors' file.
        reason: Why it closed: "complete", "enough" (as many updates as were wanted) or "deadline".
        evaluation: Of the new model, where the coordinator has images.
        bytes_up: Payload bytes received from each client; given to a commit, those not yet recorded by ``add_bytes``.
        bytes_down: Payload bytes sent to each client, likewise.
        seconds: Wall-clock duration.
    """

    round_number: int
    blob: str
    reason: str
    evaluation: Evaluation | None = None
    bytes_up: Mapping[str, int] = field(default_factory=dict)
    bytes_down: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """A round as it stands in the database; its bytes are those recorded so far, also while it is open."""

    plan: RoundPlan
    state: RoundState
    participants: tuple[Participant, ...]
    result: RoundResult | None
    opened_at: str
    closed_at: str | None
    bytes_up: Mapping[str, int] = field(default_factory=dict)
    bytes_down: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """A client as the coordinator knows it; times are ISO 8601 in UTC."""

    client: str
    joined_at: str
    last_seen_at: str
    online: bool
    rounds_accepted: int
    last_accepted_round: int | None
    num_examples: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One client's final report."""

    client: str
    round_number: int
    figures: ClientFigures
    onnx: str
    head_note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationRow:
    """The federation as it stands in the database; ``waiting_for`` says what happens next, in words.

    ``reason`` is its code, ``waiting_until`` the deadline, None where none runs.
    """

    name: str
    state: FederationState
    settings_json: bytes
    etf_blob: str
    waiting_for: str
    created_at: str
    bytes_up: int
    bytes_down: int
    reason: str | None = None
    waiting_until: str | None = None
