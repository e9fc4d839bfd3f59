"""What a database driver says, as one line for the operator with the remedy beside it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from shared.errors import StoreError

REMEDIES = (
    ("not a database", "choose another file with [store] database in the federation file"),
    ("readonly", "make the file and its folder writable for this user"),
    ("unable to open", "check that its folder exists and that this user may write there"),
    ("is full", "free space and start again: what was committed is safe"),
    ("locked", "another program keeps a transaction open on this database: close it, then start again"),
    ("malformed", "the file is damaged: restore a backup, or start anew in another folder"),
)
"""Part of SQLite's message, and what to do about it."""


def not_started() -> StoreError:
    """Return what to raise where the database holds no federation."""
    return StoreError("the database holds no federation yet", remedy="start it with: fedloge cloud start FILE")


@contextmanager
def failures_named(database: str) -> Iterator[None]:
    """Turn a driver's error into a StoreError that names the database.

    Args:
        database: How the operator knows it: the file's path, or the URL without its password.

    Raises:
        StoreError: The database refused what was asked.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as cause:
        words = " ".join(str(cause.orig if isinstance(cause, DBAPIError) else cause).split())
        remedy = next((remedy for part, remedy in REMEDIES if part in words), "")
        raise StoreError(f"database {database}: {words}", remedy=remedy) from cause
