"""The clients: signs of life, what each contributed, and bytes outside rounds."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from cloud.store.contract import ClientRow
from cloud.store.failures import not_started
from cloud.store.tables import Client, Participation, Round, Traffic
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


def add_bytes(session: Session, client: str, *, up: int, down: int) -> None:
    """Add to what was counted outside rounds, which round 0 stands for.

    Raises:
        StoreError: The federation was not started.
    """
    if session.get(Round, 0) is None:
        raise not_started()
    for direction, count in (("up", up), ("down", down)):
        row = session.get(Traffic, (0, client, direction))
        if row is not None:
            row.bytes += count
        elif count:
            session.add(Traffic(round_number=0, client=client, direction=direction, bytes=count))


def refuse_unknown(session: Session, clients: Iterable[str]) -> None:
    """Refuse ids that never came online.

    Raises:
        StoreError: Names them.
    """
    unknown = sorted(set(clients) - set(session.scalars(select(Client.client))))
    if unknown:
        raise StoreError(f"unknown clients: {', '.join(unknown[:5])}; record a sign of life first")
