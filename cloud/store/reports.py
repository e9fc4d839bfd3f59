"""What the end of a federation leaves: the clients' reports and the coordinator's exported files."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.store.clients import refuse_unknown
from cloud.store.rows import ReportRow
from cloud.store.tables import Artifact, Report, Round
from shared.errors import StoreError
from shared.messages import ClientFigures


def record(session: Session, report: ReportRow, now: datetime) -> None:
    """Record a client's final report in place of an earlier one.

    Raises:
        StoreError: The client or the round is unknown.
    """
    refuse_unknown(session, [report.client])
    refuse_uncommitted(session, report.round_number)
    row = session.get(Report, report.client)
    if row is None:
        row = Report(client=report.client)
        session.add(row)
    row.round_number, row.onnx, row.head_note, row.reported_at = (
        report.round_number,
        report.onnx,
        report.head_note,
        now,
    )
    row.write_figures(report.figures)


def read(session: Session) -> list[ReportRow]:
    """Return all reports, sorted by client."""
    rows = [
        ReportRow(
            client=row.client,
            round_number=row.round_number,
            figures=row.read_figures() or ClientFigures(num_images=0),
            onnx=row.onnx,
            head_note=row.head_note,
        )
        for row in session.scalars(select(Report))
    ]
    return sorted(rows, key=lambda row: row.client)


def record_artifact(session: Session, *, kind: str, path: str, digest: str, round_number: int, now: datetime) -> None:
    """Record an exported file in place of an earlier one at the same path.

    Raises:
        StoreError: The round is not committed.
    """
    refuse_uncommitted(session, round_number)
    session.merge(Artifact(path=path, kind=kind, digest=digest, round_number=round_number, recorded_at=now))


def read_artifacts(session: Session) -> list[tuple[str, str, str, int]]:
    """Return (kind, path, digest, round) of every file, sorted by path."""
    rows = sorted(session.scalars(select(Artifact)), key=lambda row: row.path)
    return [(row.kind, row.path, row.digest, row.round_number) for row in rows]


def refuse_uncommitted(session: Session, round_number: int) -> None:
    """Refuse a round that has no model.

    Raises:
        StoreError: It is open or unknown.
    """
    row = session.get(Round, round_number)
    if row is None or row.state != "committed":
        raise StoreError(f"round {round_number} is {'unknown' if row is None else row.state}, expected a committed one")
