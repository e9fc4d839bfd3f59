"""Offers that belong to no participant of a round: a bounded record of who sent what nobody asked for."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.store.tables import Refusal

MAX_REFUSALS = 10_000
"""Rows kept: enough to see who misbehaves and how, few enough that a flood of offers cannot fill the disk."""


def record(session: Session, client: str, *, round_number: int, reason: str, now: datetime) -> None:
    """Record one; the same again is counted, and what exceeds ``MAX_REFUSALS`` is dropped."""
    same = select(Refusal).where(Refusal.client == client, Refusal.round_number == round_number)
    row = next((row for row in session.scalars(same) if row.reason == reason), None)
    if row is not None:
        row.times += 1
    elif (session.scalar(select(func.count()).select_from(Refusal)) or 0) < MAX_REFUSALS:
        session.add(Refusal(client=client, round_number=round_number, reason=reason, times=1, refused_at=now))


def read(session: Session) -> list[tuple[str, int, str]]:
    """Return (client, claimed round, reason), oldest first."""
    rows = session.scalars(select(Refusal).order_by(Refusal.id))
    return [(row.client, row.round_number, row.reason) for row in rows]
