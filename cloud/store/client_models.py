"""The registry: which model serves on which device, as the devices report it, and who could not make one."""

from datetime import datetime
from typing import Final, cast

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cloud.store.clients import refuse_unknown
from cloud.store.registry import ClientModelRow, FailureRow, ModelKind
from cloud.store.reports import refuse_uncommitted
from cloud.store.tables import ClientModel, ReportFailure
from cloud.store.utc import iso
from shared.messages import CurrentModel

KEPT: Final = 20
"""Versions kept per client: enough to see what happened, and a client that reports for ever fills no disk."""


def record(session: Session, client: str, model: CurrentModel, now: datetime) -> None:
    """Record what serves on a device; the same model again changes nothing.

    Raises:
        StoreError: The client was never seen.
    """
    refuse_unknown(session, [client])
    rows = list(session.scalars(select(ClientModel).where(ClientModel.client == client).order_by(ClientModel.id)))
    if rows and _model(rows[-1]) == model:
        return
    session.add(
        ClientModel(
            client=client,
            digest=model.digest,
            kind=model.kind,
            round_number=model.round,
            max_abs_error=model.max_abs_error,
            accuracy=model.accuracy,
            reported_at=now,
        )
    )
    outdated = [row.id for row in rows[: max(0, len(rows) + 1 - KEPT)]]
    session.execute(delete(ClientModel).where(ClientModel.id.in_(outdated)))


def read(session: Session) -> list[ClientModelRow]:
    """Return every client's current model, sorted by client."""
    last = (
        select(func.max(ClientModel.id).label("id"), func.count().label("versions"))
        .group_by(ClientModel.client)
        .subquery()
    )
    query = select(ClientModel, last.c.versions).join(last, last.c.id == ClientModel.id)
    rows = [
        ClientModelRow(client=row.client, model=_model(row), reported_at=iso(row.reported_at), versions=versions)
        for row, versions in session.execute(query)
    ]
    return sorted(rows, key=lambda row: row.client)


def record_failure(session: Session, failure: FailureRow, now: datetime) -> None:
    """Record that a client could not make its model, in place of what it said before.

    Raises:
        StoreError: The client was never seen, or the round is not committed.
    """
    refuse_unknown(session, [failure.client])
    refuse_uncommitted(session, failure.round_number)
    session.merge(
        ReportFailure(client=failure.client, round_number=failure.round_number, reason=failure.reason, failed_at=now)
    )


def forget_failure(session: Session, client: str) -> None:
    """Forget a failure of a client that has since made its model."""
    session.execute(delete(ReportFailure).where(ReportFailure.client == client))


def read_failures(session: Session) -> list[FailureRow]:
    """Return the failures, sorted by client."""
    rows = [
        FailureRow(client=row.client, round_number=row.round_number, reason=row.reason)
        for row in session.scalars(select(ReportFailure))
    ]
    return sorted(rows, key=lambda row: row.client)


def _model(row: ClientModel) -> CurrentModel:
    return CurrentModel(
        digest=row.digest,
        kind=cast("ModelKind", row.kind),  # the constraint on the column allows no other
        round=row.round_number,
        max_abs_error=row.max_abs_error,
        accuracy=row.accuracy,
    )
