"""The store on a SQL database: each method opens one transaction and leaves the work to the noun it is about."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cloud.plan import RoundPlan
from cloud.store import client_models, clients, federation, history, ledger, refusals, reports, rounds
from cloud.store.database import WRITING, describe, open_engine, open_engine_for_reading, parse_url
from cloud.store.failures import failures_named
from cloud.store.registry import ClientModelRow, FailureRow
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
from cloud.store.schema import check_current, upgrade
from cloud.store.utc import utc_now
from shared.crash_points import passing
from shared.messages import CurrentModel

MAX_WAIT_SECONDS = 10 * 365 * 86400.0
"""A deadline further off is shown as this far: SQL's times end, settings' numbers do not."""


def open_store(url: str, *, now: Callable[[], datetime] = utc_now) -> "SqlRoundStore":
    """Open a database for the coordinator, creating or migrating it; take ``coordinator_lock`` first.

    Args:
        url: SQLAlchemy URL, such as ``sqlite:////absolute/path/to/file.sqlite``.
        now: The clock that stamps what is recorded.

    Raises:
        StoreError: Read-only, not a database, of a newer schema, or out of reach.
    """
    parsed = parse_url(url)
    database = describe(parsed)
    engine = open_engine(parsed)
    with failures_named(database), _disposed_on_error(engine):
        upgrade(engine, database)
    return SqlRoundStore(engine, database, now=now)


def open_reader(url: str) -> "SqlRoundStore":
    """Open a database to look at it, also while a coordinator runs; every method that writes fails.

    Raises:
        StoreError: There is none, it is not a database, or its schema is not this version's.
    """
    parsed = parse_url(url)
    database = describe(parsed)
    engine = open_engine_for_reading(parsed)
    with failures_named(database), _disposed_on_error(engine):
        check_current(engine, database)
    return SqlRoundStore(engine, database)


@contextmanager
def _disposed_on_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


class SqlRoundStore:
    """``RoundStore`` on an opened and migrated database; the contract documents the methods.

    Args:
        engine: From ``open_engine`` or ``open_engine_for_reading``.
        database: How the operator knows it.
        now: The clock.
    """

    def __init__(self, engine: Engine, database: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{WRITING: True})
        self._database = database
        self._now = now

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with failures_named(self._database), Session(self._engine) as session:
            yield session

    @contextmanager
    def _writing(self, step: str) -> Iterator[Session]:
        with failures_named(self._database), Session(self._writer) as session, session.begin():
            yield session
            passing("sql.commit", step)
        passing("sql.committed", step)

    def start(self, *, name: str, settings_json: bytes, etf_blob: str, initial: RoundResult) -> bool:
        """Create the federation with round 0, or resume the one that is there."""
        with self._writing("start") as session:
            return federation.start(
                session, name=name, settings_json=settings_json, etf_blob=etf_blob, initial=initial, now=self._now()
            )

    def federation(self) -> FederationRow | None:
        """Return the federation, or None before ``start``."""
        with self._reading() as session:
            return federation.read(session)

    def set_state(
        self, state: FederationState, waiting_for: str, *, reason: str | None = None, seconds: float | None = None
    ) -> None:
        """Record what the coordinator does now, what it waits for, the reason's code, and for how long at most."""
        until = None if seconds is None else self._now() + timedelta(seconds=min(seconds, MAX_WAIT_SECONDS))
        with self._writing(f"set_state {state}") as session:
            federation.set_state(session, state, waiting_for, reason=reason, until=until)

    def client_seen(self, client: str, *, online: bool) -> bool:
        """Record a sign of life; return True when the client is new."""
        with self._writing("client_seen") as session:
            return clients.seen(session, client, online=online, now=self._now())

    def knows(self, client: str) -> bool:
        """Tell whether a client ever gave a sign of life."""
        with self._reading() as session:
            return clients.knows(session, client)

    def clients(self) -> list[ClientRow]:
        """Return all clients, sorted by id."""
        with self._reading() as session:
            return clients.read(session)

    def begin(self, plan: RoundPlan) -> None:
        """Open a round."""
        with self._writing("begin") as session:
            rounds.begin(session, plan, self._now())

    def open_round(self) -> RoundRow | None:
        """Return the round that is open, or None."""
        with self._reading() as session:
            return history.open_round(session)

    def last_committed(self) -> RoundResult:
        """Return the last committed round; round 0 right after ``start``."""
        with self._reading() as session:
            return history.last_committed(session)

    def record_update(self, round_number: int, record: UpdateRecord) -> UpdateState:
        """Record an update's fate once; a repetition changes nothing."""
        with self._writing("record_update") as session:
            return rounds.settle(session, round_number, record, self._now())

    def record_stage(self, round_number: int, clients: Collection[str], stage: Stage) -> None:
        """Record how far participants came whose fate is not settled; nothing of others is changed."""
        with self._writing(f"record_stage {stage}") as session:
            rounds.reach(session, round_number, clients, stage, self._now())

    def record_refusal(self, client: str, *, round_number: int, reason: str) -> None:
        """Record an offer that fits no selected participant of an existing round; it changes no round."""
        with self._writing("record_refusal") as session:
            refusals.record(session, client, round_number=round_number, reason=reason, now=self._now())

    def refusals(self) -> list[tuple[str, int, str]]:
        """Return (client, claimed round, reason) of every such offer, oldest first, a repeated one once."""
        with self._reading() as session:
            return refusals.read(session)

    def commit(self, result: RoundResult) -> None:
        """Close a round: its new model, its missing clients and its bytes in one transaction."""
        with self._writing("commit") as session:
            rounds.commit(session, result, self._now())

    def rounds(self) -> list[RoundRow]:
        """Return all rounds from 1 on, in order."""
        with self._reading() as session:
            return history.read_rounds(session)

    def round(self, round_number: int) -> RoundRow | None:
        """Return one round from 1 on, or None."""
        with self._reading() as session:
            found = history.read_rounds(session, round_number) if round_number >= 1 else []
            return found[0] if found else None

    def participant(self, round_number: int, client: str) -> tuple[RoundState, Participant] | None:
        """Return a round's state and one client's part in it, or None."""
        with self._reading() as session:
            return history.participant(session, round_number, client)

    def record_report(self, report: ReportRow) -> None:
        """Record a client's final report; a newer one replaces it."""
        with self._writing("record_report") as session:
            reports.record(session, report, self._now())
            client_models.forget_failure(session, report.client)

    def reports(self) -> list[ReportRow]:
        """Return all final reports, sorted by client."""
        with self._reading() as session:
            return reports.read(session)

    def record_failure(self, failure: FailureRow) -> None:
        """Record that a client could not make its personal model; a newer one replaces it."""
        with self._writing("record_failure") as session:
            client_models.record_failure(session, failure, self._now())

    def failures(self) -> list[FailureRow]:
        """Return all such failures, sorted by client."""
        with self._reading() as session:
            return client_models.read_failures(session)

    def record_model(self, client: str, model: CurrentModel) -> None:
        """Record which model serves on a device; the same one again changes nothing, and the record is bounded."""
        with self._writing("record_model") as session:
            client_models.record(session, client, model, self._now())

    def models(self) -> list[ClientModelRow]:
        """Return every client's current model, sorted by client; a client that reported none is left out."""
        with self._reading() as session:
            return client_models.read(session)

    def add_bytes(self, round_number: int, *, up: Mapping[str, int], down: Mapping[str, int]) -> None:
        """Add payload bytes per client to a round's; 0 counts what belongs to no round."""
        with self._writing("add_bytes") as session:
            ledger.add(session, round_number, up=up, down=down)

    def record_artifact(self, *, kind: str, path: str, digest: str, round_number: int) -> None:
        """Record an exported file; the same path again replaces it."""
        with self._writing("record_artifact") as session:
            reports.record_artifact(
                session, kind=kind, path=path, digest=digest, round_number=round_number, now=self._now()
            )

    def artifacts(self) -> list[tuple[str, str, str, int]]:
        """Return (kind, path, digest, round) of every exported file, sorted by path."""
        with self._reading() as session:
            return reports.read_artifacts(session)

    def close(self) -> None:
        """Close the database; idempotent."""
        self._engine.dispose()
