"""Open a database by URL, so that a commit is on the disk and a reader sees one consistent state.

SQLite: write-ahead log (readers and the one writer never wait for each other), ``synchronous=FULL`` (a commit
survives a power cut), foreign keys, and transactions that we begin ourselves: Python's driver would begin them late and
silently, and a transaction that turns from reading to writing can fail where one that begins as a writer only waits.
"""

import os
import stat
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from shared.errors import StoreError

BUSY_MILLISECONDS = 5000
"""Wait for another writer, such as an operator's shell: longer hides a hang, shorter fails on a slow disk's fsync."""

WRITING = "fedloge_writing"
"""Execution option of a connection whose transactions begin as writers."""


def parse_url(url: str) -> URL:
    """Parse a database URL.

    Raises:
        StoreError: It is none.
    """
    try:
        return make_url(url)
    except ArgumentError as cause:
        raise StoreError(
            f"{url.rsplit('@', maxsplit=1)[-1]!r} is no database URL",
            remedy="write it like sqlite:////absolute/path/to/file.sqlite",
        ) from cause


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite database, or None where there is none: in memory, or another kind of database."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database)).resolve()


def describe(url: URL) -> str:
    """Return how an operator knows the database, without a password."""
    return str(sqlite_file(url) or url.render_as_string(hide_password=True))


def open_engine(url: URL) -> Engine:
    """Open a database for the coordinator; a missing SQLite file is created.

    Raises:
        StoreError: The file is read-only, its folder cannot be made, or the database's driver is not installed.
    """
    path = sqlite_file(url)
    if path is not None:
        _refuse_read_only(path)
        return _with_sqlite_rules(create_engine(url))
    if url.get_backend_name() == "sqlite":  # in memory: every thread must share the one connection that holds it
        return _with_sqlite_rules(create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False}))
    return _open_server(url)


def open_engine_for_reading(url: URL) -> Engine:
    """Open a database beside a running coordinator: nothing is created, migrated or locked against writing.

    Raises:
        StoreError: There is no such database, or its driver is not installed.
    """
    path = sqlite_file(url)
    if path is None:
        return _open_server(url)
    if not path.is_file():
        raise StoreError(f"there is no database {path}", remedy="create it with: fedloge cloud start FILE")
    query = {"mode": "ro", "uri": "true"}
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        query["immutable"] = "1"  # a copy on read-only media: SQLite could not make its shared-memory file there
    read_only = url.set(database=f"file:{quote(str(path))}", query=query)
    return _with_sqlite_rules(create_engine(read_only), wal=False)


def _open_server(url: URL) -> Engine:
    try:
        # One snapshot for all statements of a transaction, as SQLite gives it.
        return create_engine(url, isolation_level="REPEATABLE READ")
    except (NoSuchModuleError, ModuleNotFoundError, ArgumentError) as cause:
        raise StoreError(
            f"database {describe(url)}: {cause}", remedy="install the driver that the URL names, or use sqlite:///"
        ) from cause


def _refuse_read_only(path: Path) -> None:
    """Refuse a file without a write permission, also for root, who could: whoever took it away meant it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode if path.exists() else stat.S_IWUSR
    except OSError as cause:
        raise StoreError(
            f"database {path}: {cause.strerror or cause}", remedy="choose a folder this user may write"
        ) from cause
    allowed = os.access(path, os.W_OK) if path.exists() else True
    if not allowed or not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(f"database {path} is read-only", remedy=f"make it writable with: chmod u+w {path}")


def _with_sqlite_rules(engine: Engine, *, wal: bool = True) -> Engine:
    """Apply the module's rules to every connection of an engine."""

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        del entry
        connection.isolation_level = None  # we begin transactions, not the driver
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        connection.execute("PRAGMA foreign_keys=ON")
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
