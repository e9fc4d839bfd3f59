"""Rounds as they stand: rows of four tables put together into the contract's values."""

from collections import defaultdict
from typing import cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud.plan import RoundPlan
from cloud.store.rows import (
    Evaluation,
    Participant,
    ParticipantState,
    RoundResult,
    RoundRow,
    RoundState,
    Stage,
    UpdateRecord,
    UpdateState,
)
from cloud.store.tables import EvaluationRow, Participation, Round, Traffic
from cloud.store.utc import iso
from shared.errors import RoundError


def read_rounds(session: Session, only: int | None = None) -> list[RoundRow]:
    """Return all rounds from 1 on in order, or the one asked for; four queries whatever their number.

    Args:
        session: In a transaction, so that the four queries see one state.
        only: Number of the one round wanted; nothing is returned where it does not exist.
    """
    parts: defaultdict[int, list[Participant]] = defaultdict(list)
    for part in session.scalars(select(Participation).where(_among(Participation.round_number, only))):
        parts[part.round_number].append(_participant(part))
    up: defaultdict[int, dict[str, int]] = defaultdict(dict)
    down: defaultdict[int, dict[str, int]] = defaultdict(dict)
    columns = select(Traffic.round_number, Traffic.client, Traffic.direction, Traffic.bytes)  # most rows, so no objects
    for number, client, direction, count in session.execute(columns.where(_among(Traffic.round_number, only))):
        (up if direction == "up" else down)[number][client] = count
    evaluations = {
        row.round_number: row
        for row in session.scalars(select(EvaluationRow).where(_among(EvaluationRow.round_number, only)))
    }
    rounds = session.scalars(select(Round).where(_among(Round.round_number, only)).order_by(Round.round_number))
    return [
        _round(
            row,
            sorted(parts[row.round_number], key=lambda part: part.client),  # databases disagree on letters' order
            None
            if row.state == "open"
            else _result(row, evaluations.get(row.round_number), up[row.round_number], down[row.round_number]),
            up[row.round_number],
            down[row.round_number],
        )
        for row in rounds
    ]


def participant(session: Session, round_number: int, client: str) -> tuple[RoundState, Participant] | None:
    """Return a round's state and one client's part in it, or None."""
    row = session.get(Round, round_number)
    part = session.get(Participation, (round_number, client))
    if row is None or part is None:
        return None
    return ("open" if row.state == "open" else "committed"), _participant(part)


def open_round(session: Session) -> RoundRow | None:
    """Return the round that is open, or None."""
    number = session.scalars(select(Round.round_number).where(Round.state == "open")).one_or_none()
    return None if number is None else read_rounds(session, number)[0]


def last_committed(session: Session) -> RoundResult:
    """Return the last committed round; round 0, the initial model, carries no bytes.

    Raises:
        RoundError: The federation was not started.
    """
    query = select(Round).where(Round.state == "committed").order_by(Round.round_number.desc()).limit(1)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise RoundError("nothing is committed yet", remedy="start the federation with: fedloge cloud start FILE")
    if row.round_number == 0:
        return _result(row, session.get(EvaluationRow, 0), {}, {})
    result = read_rounds(session, row.round_number)[0].result
    return cast("RoundResult", result)  # a committed round has one


def _among(round_number: InstrumentedAttribute[int], only: int | None) -> ColumnElement[bool]:
    return round_number >= 1 if only is None else round_number == only


def _participant(part: Participation) -> Participant:
    stage = cast("Stage | None", part.stage)
    stage_at = None if part.stage_at is None else iso(part.stage_at)
    if part.state in {"waiting", "missing"}:
        state = cast("ParticipantState", part.state)
        return Participant(client=part.client, state=state, stage=stage, stage_at=stage_at)
    record = UpdateRecord(
        client=part.client,
        state=cast("UpdateState", part.state),
        reason=part.reason,
        blob=part.blob,
        num_examples=part.num_examples,
        size_bytes=part.size_bytes,
        figures=part.read_figures(),
    )
    state = cast("ParticipantState", "missing" if part.state == "late" else part.state)
    return Participant(client=part.client, state=state, record=record, stage=stage, stage_at=stage_at)


def _result(row: Round, evaluation: EvaluationRow | None, up: dict[str, int], down: dict[str, int]) -> RoundResult:
    return RoundResult(
        round_number=row.round_number,
        blob=row.blob or "",
        reason=row.close_reason or "",
        evaluation=None if evaluation is None else _evaluation(evaluation),
        bytes_up=up,
        bytes_down=down,
        seconds=row.seconds or 0.0,
    )


def _evaluation(row: EvaluationRow) -> Evaluation:
    return Evaluation(
        accuracy=row.accuracy, groups=row.group_accuracies, per_class=tuple(row.per_class), rules=row.rules
    )


def _round(
    row: Round,
    participants: list[Participant],
    result: RoundResult | None,
    up: dict[str, int],
    down: dict[str, int],
) -> RoundRow:
    return RoundRow(
        plan=RoundPlan(
            round_number=row.round_number,
            base_blob=row.base_blob or "",
            participants=tuple(part.client for part in participants),
            quorum=row.quorum,
            wanted=row.wanted or 0,
            deadline_seconds=row.deadline_seconds,
        ),
        state="open" if result is None else "committed",
        participants=tuple(participants),
        result=result,
        opened_at=iso(row.opened_at),
        closed_at=None if row.closed_at is None else iso(row.closed_at),
        bytes_up=up,
        bytes_down=down,
    )
