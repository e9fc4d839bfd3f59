"""How a database is opened, and the one line for each way it cannot be."""

import sqlite3
from pathlib import Path

import pytest

from cloud.store.database import describe, open_engine, parse_url, sqlite_file
from cloud.store.sql import open_reader, open_store
from shared.errors import StoreError
from tests.stores import accepted, everything, one_open, sqlite_database, start, started


def refusal(opening: object, url: str) -> StoreError:
    with pytest.raises(StoreError) as error:
        opening(url)  # type: ignore[operator]
    assert error.value.exit_code == 6
    assert "\n" not in error.value.message
    assert error.value.remedy
    return error.value


def test_sqlite_writes_ahead_syncs_fully_and_checks_foreign_keys(tmp_path: Path) -> None:
    engine = open_engine(parse_url(f"sqlite:///{tmp_path}/f.sqlite"))
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    engine.dispose()


def test_folders_above_the_database_are_created(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/not/yet/f.sqlite")
    assert start(store)
    store.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at as one " * 40)
    before = path.read_bytes()
    for opening in (open_store, open_reader):
        error = refusal(opening, f"sqlite:///{path}")
        assert error.message == f"database {path}: file is not a database"
    assert path.read_bytes() == before


def test_a_read_only_file_is_refused_also_to_root(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)
    database.open().close()
    path = tmp_path / "federation.sqlite"
    path.chmod(0o444)
    error = refusal(open_store, database.url)
    assert error.message == f"database {path} is read-only"
    assert error.remedy == f"make it writable with: chmod u+w {path}"
    reader = open_reader(database.url)
    assert reader.federation() is None
    reader.close()


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "unable to open" in refusal(open_store, f"sqlite:///{tmp_path}").message


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refusal(open_store, f"sqlite:///{tmp_path}/file/f.sqlite").message


def test_a_missing_database_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refusal(open_reader, f"sqlite:///{tmp_path}/f.sqlite")
    assert error.message == f"there is no database {tmp_path / 'f.sqlite'}"
    assert "fedloge cloud start" in error.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    message = refusal(open_store, "me:secret@nowhere").message
    assert "no database URL" in message
    assert "secret" not in message


@pytest.mark.parametrize("url", ["postgresql+nodriver://me:secret@host/db", "cobol://me:secret@host/db"])
def test_a_driver_that_is_not_there_is_named_without_the_password(url: str) -> None:
    for opening in (open_store, open_reader):
        message = refusal(opening, url).message
        assert "host/db" in message
        assert "secret" not in message


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)
    store = database.open()
    one_open(store)
    store.close()
    path = tmp_path / "federation.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="malformed") as error:
        everything(open_reader(database.url))
    assert "backup" in error.value.remedy


def test_a_full_disk_is_one_line_and_keeps_what_was_committed(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)
    store = database.open()
    started(store)
    before = everything(store)
    with store._engine.connect() as connection:  # type: ignore[attr-defined]
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="database or disk is full") as error:
        store.record_refusal("zoe", round_number=1, reason="x" * 100_000)
    assert "free space" in error.value.remedy
    assert everything(store) == before
    store.close()


def test_another_writer_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.store.database.BUSY_MILLISECONDS", 10)
    database = sqlite_database(tmp_path)
    store = database.open()
    holder = sqlite3.connect(tmp_path / "federation.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="database is locked") as error:
        start(store)
    assert "another program" in error.value.remedy
    holder.close()
    assert start(store)
    store.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)
    store = database.open()
    one_open(store)
    before = everything(store)
    reader = database.open_reader()
    for write in (
        lambda: start(reader),
        lambda: reader.client_seen("dora", online=True),
        lambda: reader.record_update(2, accepted("ben")),
    ):
        with pytest.raises(StoreError, match="readonly"):
            write()
    assert everything(store) == before == everything(reader)
    reader.close()
    store.close()


@pytest.mark.parametrize("name", ["with space.sqlite", "100%.sqlite", "a#b&c=d.sqlite", "ünïcode.sqlite"])
def test_odd_file_names_are_opened_for_writing_and_reading(tmp_path: Path, name: str) -> None:
    store = open_store(f"sqlite:///{tmp_path}/{name}")
    start(store)
    store.close()
    assert (tmp_path / name).is_file()
    reader = open_reader(f"sqlite:///{tmp_path}/{name}")
    assert reader.federation() is not None
    reader.close()


def test_two_paths_to_one_file_are_one_database(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    direct, linked = (sqlite_file(parse_url(f"sqlite:///{tmp_path}/{name}/f.sqlite")) for name in ("folder", "link"))
    assert direct == linked
    assert describe(parse_url("sqlite://")) == "sqlite://"
