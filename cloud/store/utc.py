"""Points in time: aware, in UTC, the same from every database."""

from datetime import UTC, datetime

from sqlalchemy import DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware column that always gives UTC.

    SQLite keeps no time zone and returns naive times, PostgreSQL returns the session's zone; both come back as UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        Raises:
            ValueError: The time is naive: which instant it means would be a guess.
        """
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a time with a time zone, got {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored instant in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def iso(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond, such as ``2026-01-31T12:00:00.250+00:00``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
