"""One coordinator per database: a lock the operating system releases, also after a SIGKILL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cloud.store.database import describe, parse_url, sqlite_file
from shared.errors import AlreadyRunningError, StoreError

WAIT_SECONDS = 1.0
"""Outlasts a probe by ``coordinator_runs`` and a predecessor that is just closing; longer only delays the refusal."""


@contextmanager
def coordinator_lock(url: str, folder: Path) -> Iterator[None]:
    """Hold the right to write a database.

    The lock belongs to this process and to children that inherit its open files: start children by ``subprocess`` or
    "spawn", never by a bare fork, or the lock outlives the coordinator.

    Args:
        url: The database; the lock file stands beside a SQLite file.
        folder: Where the lock file stands for any other database.

    Raises:
        AlreadyRunningError: Another process holds it.
        StoreError: The lock file cannot be written.
    """
    lock = FileLock(lock_path(url, folder), timeout=WAIT_SECONDS)
    database = describe(parse_url(url))
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as cause:
        raise AlreadyRunningError(
            f"another coordinator is running on database {database}",
            remedy="look at it with `fedloge cloud status`, or stop it first",
        ) from cause
    except OSError as cause:
        raise StoreError(
            f"database {database}: cannot lock {lock.lock_file}: {cause.strerror or cause}",
            remedy="make its folder writable for this user",
        ) from cause
    try:
        yield
    finally:
        lock.release()


def coordinator_runs(url: str, folder: Path) -> bool:
    """Tell whether a coordinator holds the database at this moment; creates no file."""
    path = lock_path(url, folder)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a lock file we may not open was left by another user; no word about a running process


def lock_path(url: str, folder: Path) -> Path:
    """Return where the lock file of a database stands; two paths to one SQLite file give the same."""
    file = sqlite_file(parse_url(url))
    return folder / "coordinator.lock" if file is None else file.with_name(f"{file.name}.lock")
