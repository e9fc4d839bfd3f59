"""The clients: signs of life, and what each contributed."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from cloud.store.rows import ClientRow
from cloud.store.tables import Client, Participation
from cloud.store.utc import iso
from shared.errors import StoreError


def seen(session: Session, client: str, *, online: bool, now: datetime) -> bool:
    """Record a sign of life; return True when the client is new."""
    row = session.get(Client, client)
    if row is None:
        session.add(Client(client=client, joined_at=now, last_seen_at=now, online=online))
        return True
    row.last_seen_at, row.online = now, online
    return False


def read(session: Session) -> list[ClientRow]:
    """Return all clients, sorted by id."""
    last = (
        select(
            Participation.client,
            func.count().label("accepted"),
            func.max(Participation.round_number).label("round_number"),
        )
        .where(Participation.state == "accepted")
        .group_by(Participation.client)
        .subquery()
    )
    query = (
        select(Client, last.c.accepted, last.c.round_number, Participation.num_examples)
        .outerjoin(last, last.c.client == Client.client)
        .outerjoin(
            Participation,
            and_(Participation.client == Client.client, Participation.round_number == last.c.round_number),
        )
    )
    rows = [
        ClientRow(
            client=client.client,
            joined_at=iso(client.joined_at),
            last_seen_at=iso(client.last_seen_at),
            online=client.online,
            rounds_accepted=accepted or 0,
            last_accepted_round=round_number,
            num_examples=num_examples,
        )
        for client, accepted, round_number, num_examples in session.execute(query)
    ]
    return sorted(rows, key=lambda row: row.client)  # not by SQL: databases disagree on the order of letters


def knows(session: Session, client: str) -> bool:
    """Tell whether a client ever gave a sign of life."""
    return session.get(Client, client) is not None


def refuse_unknown(session: Session, clients: Iterable[str]) -> None:
    """Refuse ids that never came online.

    Raises:
        StoreError: Names them.
    """
    wanted = set(clients)
    unknown = sorted(wanted - set(session.scalars(select(Client.client).where(Client.client.in_(wanted)))))
    if unknown:
        raise StoreError(f"unknown clients: {', '.join(unknown[:5])}; record a sign of life first")
