"""Databases for the store's tests, and a federation's history in steps."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloud.plan import RoundPlan
from cloud.store.contract import RoundStore
from cloud.store.registry import FailureRow
from cloud.store.rows import Evaluation, ReportRow, RoundResult, UpdateRecord
from cloud.store.sql import open_reader, open_store
from shared.messages import ClientFigures, CurrentModel, Groups

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CLIENTS = ("anna", "ben", "carla")
FIGURES = ClientFigures(num_images=7, generic=0.5, personal=0.75, personal_groups=Groups(head=1.0, tail=0.1))
EVALUATION = Evaluation(
    accuracy=0.5, groups={"head": 0.9, "tail": None}, per_class=(1.0, None, 0.25), rules={"etf": 0.5}
)


def noon() -> datetime:
    """A clock that stands still: two runs of the same steps leave the same rows."""
    return NOON


@dataclass
class Ticking:
    """A clock that goes on one second per look."""

    seconds: itertools.count = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        return NOON + timedelta(seconds=next(self.seconds))


@dataclass(frozen=True)
class Database:
    """One database of one implementation; PostgreSQL joins with its URL and a way to empty it."""

    url: str

    def open(self, now: Callable[[], datetime] = noon) -> RoundStore:
        return open_store(self.url, now=now)

    def open_reader(self) -> RoundStore:
        return open_reader(self.url)


def sqlite_database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'federation.sqlite'}")


def model(round_number: int) -> str:
    """The blob of a round's model."""
    return f"{round_number:064x}"


def start(store: RoundStore, *, name: str = "lab", settings_json: bytes = b'{"rounds":5}') -> bool:
    return store.start(
        name=name,
        settings_json=settings_json,
        etf_blob="e" * 64,
        initial=RoundResult(round_number=0, blob=model(0), reason="initial", evaluation=EVALUATION),
    )


def join(store: RoundStore) -> None:
    for client in CLIENTS:
        store.client_seen(client, online=True)


def plan(round_number: int, participants: tuple[str, ...] = CLIENTS) -> RoundPlan:
    return RoundPlan(
        round_number=round_number,
        base_blob=model(round_number - 1),
        participants=participants,
        quorum=1,
        deadline_seconds=30.0,
    )


def accepted(client: str, num_examples: int = 10) -> UpdateRecord:
    return UpdateRecord(
        client=client, state="accepted", blob="a" * 64, num_examples=num_examples, size_bytes=4096, figures=FIGURES
    )


def result(round_number: int, reason: str = "deadline") -> RoundResult:
    return RoundResult(
        round_number=round_number,
        blob=model(round_number),
        reason=reason,
        evaluation=EVALUATION,
        bytes_up=dict.fromkeys(CLIENTS, 100),
        bytes_down=dict.fromkeys(CLIENTS, 200),
        seconds=1.5,
    )


def report(client: str, round_number: int = 1) -> ReportRow:
    return ReportRow(client=client, round_number=round_number, figures=FIGURES, onnx="f" * 64, head_note="trained last")


def failure(client: str, round_number: int = 1) -> FailureRow:
    return FailureRow(client=client, round_number=round_number, reason="refused")


def current(digest: str = "d" * 64, *, accuracy: float | None = 0.5) -> CurrentModel:
    return CurrentModel(digest=digest, kind="personal", round=1, max_abs_error=1e-6, accuracy=accuracy)


def started(store: RoundStore) -> None:
    start(store)
    join(store)


def one_committed(store: RoundStore) -> None:
    started(store)
    store.begin(plan(1))
    store.record_update(1, accepted("anna"))
    store.commit(result(1))


def one_open(store: RoundStore) -> None:
    one_committed(store)
    store.begin(plan(2))
    store.record_update(2, accepted("anna"))


def fate(store: RoundStore, round_number: int, client: str) -> tuple[str, UpdateRecord | None]:
    """Return what became of a client's part in a round."""
    row = store.round(round_number)
    assert row is not None
    part = next(part for part in row.participants if part.client == client)
    return part.state, part.record


def everything(store: RoundStore) -> dict[str, Any]:
    """All that a reader can see."""
    return {
        "federation": store.federation(),
        "clients": store.clients(),
        "open": store.open_round(),
        "rounds": store.rounds(),
        "reports": store.reports(),
        "refusals": store.refusals(),
        "artifacts": store.artifacts(),
        "models": store.models(),
        "failures": store.failures(),
        "initial": None if store.federation() is None else store.last_committed(),
    }
