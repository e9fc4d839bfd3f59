"""Which model served when, and why: the journal's record beside the link that decides what serves now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from edge.gate import Verdict
from edge.journal import Journal
from shared.messages import CurrentModel

Origin: TypeAlias = Literal["finish", "personalize", "generic", "found"]
"""How a version was made: at a federation's end, by ``edge personalize``, the generic model itself, or found in the
folder when this program first looked."""

Occasion: TypeAlias = Literal["activate", "rollback"]
State: TypeAlias = Literal["pending", "done", "refused", "interrupted"]
"""A switch is pending from before its rename until after it; a kill in between is settled at the next look."""


class ModelVersion(Struct, frozen=True, kw_only=True):
    """One version of this device's model.

    Attributes:
        version: Counted from 1.
        digest: SHA-256 of the ONNX file.
        kind: "personal" or "generic".
        round: Last committed round that went into it.
        origin: How it was made.
        max_abs_error: Largest |dlogit| of its certificate.
        accuracy: Of the ONNX file on this device's held-out images, 0..1; None without any.
        made_at: ISO 8601, UTC.
    """

    version: int
    digest: str
    kind: Literal["generic", "personal"]
    round: int
    origin: Origin
    max_abs_error: float
    accuracy: float | None
    made_at: str


def current_model(version: ModelVersion) -> CurrentModel:
    """Return what the coordinator is told of a version."""
    return CurrentModel(
        digest=version.digest,
        kind=version.kind,
        round=version.round,
        max_abs_error=version.max_abs_error,
        accuracy=version.accuracy,
    )


class Activation(Struct, frozen=True, kw_only=True):
    """One decision about a version.

    Attributes:
        id: In order of time.
        version: What was decided on.
        previous: What served before; None before the first.
        event: "activate" or "rollback".
        state: "pending", "done", "refused" by the gate, or "interrupted" by a kill before the switch.
        reason: In words.
        verdict: The gate's numbers, where it compared.
        at: ISO 8601, UTC.
    """

    id: int
    version: int
    previous: int | None
    event: Occasion
    state: State
    reason: str
    verdict: Verdict | None
    at: str


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ModelHistory:
    """The journal's tables of versions and decisions.

    Attributes:
        journal: Opened.
        now: The clock that stamps what is recorded.
    """

    journal: Journal
    now: Callable[[], datetime] = utc_now

    def add(
        self,
        *,
        digest: str,
        kind: str,
        round_number: int,
        origin: Origin,
        max_abs_error: float,
        accuracy: float | None,
        version: int | None = None,
    ) -> int:
        """Record a version and return its number: the next one, or ``version`` where its files were found without."""
        rows = self.journal.run(
            "INSERT INTO models (version, digest, kind, round, origin, max_abs_error, accuracy, made_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING version",
            *(version, digest, kind, round_number, origin, max_abs_error, accuracy, self._stamp()),
        )
        return int(rows[0][0])

    def decide(
        self,
        version: int,
        *,
        previous: int | None,
        event: Occasion,
        state: State,
        reason: str,
        verdict: Verdict | None = None,
    ) -> int:
        """Record a decision and return its id."""
        encoded = None if verdict is None else msgspec.json.encode(verdict).decode()
        rows = self.journal.run(
            "INSERT INTO activations (version, previous, event, state, reason, verdict, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            *(version, previous, event, state, reason, encoded, self._stamp()),
        )
        return int(rows[0][0])

    def settle(self, decision: int, state: State) -> None:
        """Record how a pending decision ended."""
        self.journal.run("UPDATE activations SET state = ? WHERE id = ?", state, decision)

    def recover(self, current: int | None) -> None:
        """Settle what a killed process left pending, by what serves now."""
        for row in self.decisions():
            if row.state == "pending":
                self.settle(row.id, "done" if row.version == current else "interrupted")

    def version(self, number: int) -> ModelVersion | None:
        """Return one version, or None."""
        return next((row for row in self.versions() if row.version == number), None)

    def versions(self) -> list[ModelVersion]:
        """Return all versions ever made, oldest first; refused ones among them."""
        rows = self.journal.run(
            "SELECT version, digest, kind, round, origin, max_abs_error, accuracy, made_at FROM models ORDER BY version"
        )
        names = ModelVersion.__struct_fields__
        return [ModelVersion(**dict(zip(names, row, strict=True))) for row in rows]

    def decisions(self) -> list[Activation]:
        """Return all decisions, oldest first."""
        return [
            Activation(
                id=row[0],
                version=row[1],
                previous=row[2],
                event=row[3],
                state=row[4],
                reason=row[5],
                verdict=None if row[6] is None else msgspec.json.decode(row[6], type=Verdict),
                at=row[7],
            )
            for row in self.journal.run(
                "SELECT id, version, previous, event, state, reason, verdict, at FROM activations ORDER BY id"
            )
        ]

    def last_switch(self) -> Activation | None:
        """Return the decision that made the present model serve, or None."""
        done = [row for row in self.decisions() if row.state == "done"]
        return done[-1] if done else None

    def _stamp(self) -> str:
        return self.now().isoformat(timespec="seconds")
