"""The implementations that the store's contract runs on; a new one joins by one line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.store.contract import RoundStore
from tests.stores import Database, sqlite_database

DURABLE: dict[str, Callable[[Path], Database]] = {"sqlite": sqlite_database}
DATABASES: dict[str, Callable[[Path], Database]] = {**DURABLE, "memory": lambda _: Database("sqlite://")}


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database."""
    return DATABASES[request.param](tmp_path)


@pytest.fixture
def store(database: Database) -> Iterator[RoundStore]:
    """An empty store, closed at the end."""
    store = database.open()
    yield store
    store.close()


@pytest.fixture(params=DURABLE)
def durable(request: pytest.FixtureRequest) -> Callable[[Path], Database]:
    """How to make an empty database that outlives its process."""
    return DURABLE[request.param]


@pytest.fixture
def durable_database(durable: Callable[[Path], Database], tmp_path: Path) -> Database:
    """An empty database that outlives its process."""
    return durable(tmp_path)


@pytest.fixture
def other_database(durable: Callable[[Path], Database], tmp_path: Path) -> Database:
    """Another one of the same kind, to compare with."""
    folder = tmp_path / "other"
    folder.mkdir()
    return durable(folder)
