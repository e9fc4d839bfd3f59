"""What the coordinator needs of a store; every implementation passes the same contract tests."""

from collections.abc import Collection, Mapping
from typing import Protocol

from cloud.plan import RoundPlan
from cloud.store.registry import ModelRegistry
from cloud.store.rows import (
    ClientRow,
    FederationRow,
    FederationState,
    Participant,
    ReportRow,
    RoundResult,
    RoundRow,
    RoundState,
    Stage,
    UpdateRecord,
    UpdateState,
)


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
