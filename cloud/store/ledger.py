"""The ledger of payload bytes: by round, client and direction, added up as they are recorded."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from cloud.store.tables import Round, Traffic
from shared.errors import StoreError


def add(session: Session, round_number: int, *, up: Mapping[str, int], down: Mapping[str, int]) -> None:
    """Add to what is on record of a round; see ``RoundStore.add_bytes``.

    Raises:
        StoreError: There is no such round.
    """
    if session.get(Round, round_number) is None:
        raise StoreError(f"there is no round {round_number} to count bytes in")
    for direction, counts in (("up", up), ("down", down)):
        for client, count in counts.items():
            row = session.get(Traffic, (round_number, client, direction))
            if row is not None:
                row.bytes += count
            else:
                session.add(Traffic(round_number=round_number, client=client, direction=direction, bytes=count))
