"""What the coordinator needs of a store; every implementation passes the same contract tests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cloud.plan import RoundPlan
from cloud.store.registry import ModelRegistry
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


class RoundStore(ModelRegistry, Protocol):
    """Each method is one transaction: after it returned, its effect survives a kill; before, nothing of it does."""

    def start(self, *, name: str, settings_json: bytes, etf_blob: str, initial: RoundResult) -> bool:
        """Create the federation with round 0, or resume the one that is there.

        On resumption ``etf_blob`` and ``initial`` are not looked at, those on record stand; and every client counts as
        offline until it gives a new sign of life.

        Returns:
            True when it was created, False when it is resumed.

        Raises:
            StoreError: The database holds another federation, or this one with other settings (the message names the
                first setting that differs); or ``initial`` is not round 0 without bytes.
        """
        ...

    def federation(self) -> FederationRow | None:
        """Return the federation, or None before ``start``."""
        ...

    def set_state(
        self, state: FederationState, waiting_for: str, *, reason: str | None = None, seconds: float | None = None
    ) -> None:
        """Record what the coordinator does now, what it waits for, the reason's code, and for how long at most.

        Raises:
            StoreError: The federation was not started.
        """
        ...

    def client_seen(self, client: str, *, online: bool) -> bool:
        """Record a sign of life; return True when the client is new."""
        ...

    def knows(self, client: str) -> bool:
        """Tell whether a client ever gave a sign of life."""
        ...

    def clients(self) -> list[ClientRow]:
        """Return all clients, sorted by id."""
        ...

    def begin(self, plan: RoundPlan) -> None:
        """Open a round.

        Raises:
            StoreError: A round is open, this is not the next one, it does not start from the last committed model, or
                it names a client that was never seen.
        """
        ...

    def open_round(self) -> RoundRow | None:
        """Return the round that is open, or None."""
        ...

    def last_committed(self) -> RoundResult:
        """Return the last committed round; round 0 right after ``start``.

        Raises:
            RoundError: There is none: the federation was not started.
        """
        ...

    def record_update(self, round_number: int, record: UpdateRecord) -> UpdateState:
        """Record an update's fate once; a repetition changes nothing.

        Returns:
            The state on record: the earlier one when the client's fate was settled before (also after the round was
            closed, so that a lost receipt can be repeated), "late" when the round was closed without it.

        Raises:
            StoreError: No such round, the client was not selected for it, or "late" was claimed in an open round.
        """
        ...

    def record_stage(self, round_number: int, clients: Collection[str], stage: Stage) -> None:
        """Record how far participants came whose fate is not settled; nothing of others is changed."""
        ...

    def record_refusal(self, client: str, *, round_number: int, reason: str) -> None:
        """Record an offer that fits no selected participant of an existing round; it changes no round.

        Sender and round are only claims, so neither needs to exist; the record is bounded.
        """
        ...

    def refusals(self) -> list[tuple[str, int, str]]:
        """Return (client, claimed round, reason) of every such offer, oldest first, a repeated one once."""
        ...

    def commit(self, result: RoundResult) -> None:
        """Close a round: its new model, its missing clients and its bytes in one transaction.

        Raises:
            StoreError: The round is not open (so none is ever committed twice).
        """
        ...

    def rounds(self) -> list[RoundRow]:
        """Return all rounds from 1 on, in order."""
        ...

    def round(self, round_number: int) -> RoundRow | None:
        """Return one round from 1 on, or None."""
        ...

    def participant(self, round_number: int, client: str) -> tuple[RoundState, Participant] | None:
        """Return a round's state and one client's part in it, at a cost that does not grow with the round; or None."""
        ...

    def record_report(self, report: ReportRow) -> None:
        """Record a client's final report; a newer one replaces it.

        Raises:
            StoreError: The client was never seen, or the round is not committed.
        """
        ...

    def reports(self) -> list[ReportRow]:
        """Return all final reports, sorted by client."""
        ...

    def add_bytes(self, round_number: int, *, up: Mapping[str, int], down: Mapping[str, int]) -> None:
        """Add payload bytes per client to a round's, while it is open or later; a commit adds its own to them.

        Round 0 counts what belongs to no round: joining and finishing.

        Raises:
            StoreError: There is no such round.
        """
        ...

    def record_artifact(self, *, kind: str, path: str, digest: str, round_number: int) -> None:
        """Record an exported file; the same path again replaces it.

        Raises:
            StoreError: The round is not committed.
        """
        ...

    def artifacts(self) -> list[tuple[str, str, str, int]]:
        """Return (kind, path, digest, round) of every exported file, sorted by path."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...
