"""The federation's one row: start or resume it, its state, its totals."""

import json
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.store import rounds
from cloud.store.failures import not_started
from cloud.store.rows import FederationRow, FederationState, RoundResult
from cloud.store.tables import Client, Federation, Traffic
from cloud.store.utc import iso
from shared.errors import StoreError


def start(
    session: Session, *, name: str, settings_json: bytes, etf_blob: str, initial: RoundResult, now: datetime
) -> bool:
    """Create the federation, or check that it is the one on record; see ``RoundStore.start``."""
    recorded = session.get(Federation, 1)
    if recorded is None:
        session.add(
            Federation(
                id=1,
                name=name,
                state="joining",
                waiting_for="clients to join",
                settings_json=settings_json.decode(),
                etf_blob=etf_blob,
                created_at=now,
            )
        )
        rounds.add_initial(session, initial, now)
        return True
    _refuse_another(recorded, name, settings_json)
    for client in session.scalars(select(Client).where(Client.online)):
        client.online = False  # who is there is learned anew
    return False


def _refuse_another(recorded: Federation, name: str, settings_json: bytes) -> None:
    elsewhere = "or start a new federation in another [store] folder"
    if recorded.name != name:
        raise StoreError(
            f"the database holds federation {recorded.name!r}, not {name!r}",
            remedy=f"name the federation file that started it, {elsewhere}",
        )
    difference = first_difference(json.loads(recorded.settings_json), json.loads(settings_json))
    if difference is not None:
        raise StoreError(
            f"federation {name!r} was started with other settings: {difference}",
            remedy=f"restore the setting, {elsewhere}",
        )


def first_difference(recorded: Any, offered: Any, key: str = "") -> str | None:
    """Name the first setting that differs, depth first in the recorded order.

    Args:
        recorded: Parsed JSON from the database.
        offered: Parsed JSON of the federation file.
        key: Dotted path of both.

    Returns:
        Such as ``training.learning_rate was 0.03, is 0.05``; None when they are equal.
    """
    if isinstance(recorded, dict) and isinstance(offered, dict):
        for part in [*recorded, *(part for part in offered if part not in recorded)]:
            path = f"{key}.{part}" if key else str(part)
            if part not in offered:
                return f"{path} was {_short(recorded[part])}, is absent"
            if part not in recorded:
                return f"{path} was absent, is {_short(offered[part])}"
            difference = first_difference(recorded[part], offered[part], path)
            if difference is not None:
                return difference
        return None
    same = recorded == offered and isinstance(recorded, bool) == isinstance(offered, bool)  # Python: 1 == True
    return None if same else f"{key} was {_short(recorded)}, is {_short(offered)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"


def read(session: Session) -> FederationRow | None:
    """Return the federation with its totals, or None before ``start``."""
    row = session.get(Federation, 1)
    if row is None:
        return None
    sums = select(Traffic.direction, func.sum(Traffic.bytes)).group_by(Traffic.direction)
    totals: dict[str, int] = {direction: int(total) for direction, total in session.execute(sums)}
    return FederationRow(
        name=row.name,
        state=cast("FederationState", row.state),
        settings_json=row.settings_json.encode(),
        etf_blob=row.etf_blob,
        waiting_for=row.waiting_for,
        created_at=iso(row.created_at),
        bytes_up=totals.get("up", 0),
        bytes_down=totals.get("down", 0),
        reason=row.reason,
        waiting_until=None if row.waiting_until is None else iso(row.waiting_until),
    )


def set_state(
    session: Session, state: FederationState, waiting_for: str, *, reason: str | None, until: datetime | None
) -> None:
    """Record what the coordinator does and waits for, by which code, and until when.

    Raises:
        StoreError: The federation was not started.
    """
    row = session.get(Federation, 1)
    if row is None:
        raise not_started()
    row.state, row.waiting_for, row.reason, row.waiting_until = state, waiting_for, reason, until
