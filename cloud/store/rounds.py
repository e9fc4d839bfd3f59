"""Rounds: open one, settle its updates, commit it, read it back."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.plan import RoundPlan
from cloud.store import ledger
from cloud.store.clients import refuse_unknown
from cloud.store.failures import not_started
from cloud.store.rows import RoundResult, Stage, UpdateRecord, UpdateState
from cloud.store.tables import EvaluationRow, Participation, Round
from shared.errors import StoreError


def add_initial(session: Session, initial: RoundResult, now: datetime) -> None:
    """Record the initial model as round 0.

    Raises:
        StoreError: It is not numbered 0, or claims bytes: round 0 stands for bytes outside rounds.
    """
    if initial.round_number != 0 or initial.bytes_up or initial.bytes_down:
        raise StoreError(f"expected round 0 without bytes, got round {initial.round_number}")
    session.add(Round(round_number=0, state="open", base_blob=None, quorum=0, deadline_seconds=0.0, opened_at=now))
    session.flush()
    commit(session, initial, now)


def begin(session: Session, plan: RoundPlan, now: datetime) -> None:
    """Open a round with everyone still waited for; see ``RoundStore.begin``."""
    last = session.scalars(select(Round).order_by(Round.round_number.desc()).limit(1)).one_or_none()
    if last is None:
        raise not_started()
    if last.state == "open":
        raise StoreError(f"round {last.round_number} is open; round {plan.round_number} cannot begin")
    if plan.round_number != last.round_number + 1:
        raise StoreError(f"the next round is {last.round_number + 1}, not {plan.round_number}")
    if plan.base_blob != last.blob:
        raise StoreError(f"round {plan.round_number} starts from {plan.base_blob[:12]}, the last model is {last.blob}")
    refuse_unknown(session, plan.participants)
    session.add(
        Round(
            round_number=plan.round_number,
            state="open",
            base_blob=plan.base_blob,
            quorum=plan.quorum,
            wanted=plan.wanted or None,
            deadline_seconds=plan.deadline_seconds,
            opened_at=now,
        )
    )
    session.flush()
    for client in plan.participants:
        session.add(
            Participation(
                round_number=plan.round_number, client=client, state="waiting", reason="", num_examples=0, size_bytes=0
            )
        )


def settle(session: Session, round_number: int, record: UpdateRecord, now: datetime) -> UpdateState:
    """Record an update's fate once; see ``RoundStore.record_update``."""
    row = session.get(Round, round_number)
    if row is None or round_number == 0:
        raise StoreError(f"there is no round {round_number} to record an update of {record.client} in")
    part = session.get(Participation, (round_number, record.client))
    if part is None:
        raise StoreError(f"{record.client} was not selected for round {round_number}")
    if part.state == "waiting":
        if record.state == "late":
            raise StoreError(f"round {round_number} is open: an update of {record.client} cannot be late")
        part.state = record.state
    elif part.state == "missing":
        part.state = "late"
    else:
        return part.state  # type: ignore[return-value]  # the constraint on the column allows no other
    part.reason, part.blob, part.settled_at = record.reason, record.blob, now
    part.num_examples, part.size_bytes = record.num_examples, record.size_bytes
    part.write_figures(record.figures)
    return part.state  # type: ignore[return-value]


def reach(session: Session, round_number: int, clients: Collection[str], stage: Stage, now: datetime) -> None:
    """Record how far participants came; see ``RoundStore.record_stage``."""
    for client in clients:
        part = session.get(Participation, (round_number, client))
        if part is not None and part.state == "waiting" and part.stage != stage:
            part.stage, part.stage_at = stage, now


def commit(session: Session, result: RoundResult, now: datetime) -> None:
    """Close a round; see ``RoundStore.commit``."""
    number = result.round_number
    row = session.get(Round, number)
    if row is None or row.state != "open":
        raise StoreError(f"round {number} is {'unknown' if row is None else row.state}, only an open one is committed")
    row.state, row.blob, row.close_reason, row.seconds = "committed", result.blob, result.reason, result.seconds
    row.closed_at = now
    waiting = select(Participation).where(Participation.round_number == number, Participation.state == "waiting")
    for part in session.scalars(waiting):
        part.state = "missing"
    ledger.add(session, number, up=result.bytes_up, down=result.bytes_down)
    if result.evaluation is not None:
        session.add(
            EvaluationRow(
                round_number=number,
                accuracy=result.evaluation.accuracy,
                group_accuracies=dict(result.evaluation.groups),
                per_class=list(result.evaluation.per_class),
                rules=dict(result.evaluation.rules),
            )
        )
