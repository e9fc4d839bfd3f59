"""The migrated schema is the models', and a database of any other one is refused untouched."""

import importlib.resources
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect

from cloud.store.database import open_engine, parse_url
from cloud.store.schema import alembic_config, upgrade
from cloud.store.sql import open_reader, open_store
from cloud.store.tables import Base
from shared.errors import StoreError
from tests.killed import kill_myself, run_and_kill
from tests.stores import everything, one_open, sqlite_database

REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())
CAME_WITH = {
    "0002": (
        "ALTER TABLE federation DROP COLUMN reason",
        "ALTER TABLE federation DROP COLUMN waiting_until",
        "ALTER TABLE rounds DROP COLUMN wanted",
        "ALTER TABLE participations DROP COLUMN stage",
        "ALTER TABLE participations DROP COLUMN stage_at",
    ),
    "0003": ("DROP TABLE client_models", "DROP TABLE report_failures"),
}
"""What each revision added, by how it is taken away again; a newcomer here must not touch what was there."""

HEAD = str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def migrated() -> Engine:
    engine = open_engine(parse_url("sqlite://"))
    upgrade(engine, "memory")
    return engine


def with_revision(path: Path, revision: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_the_migrated_schema_equals_the_models() -> None:
    engine = migrated()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_migrated_constraints_equal_the_models() -> None:
    """What compare_metadata does not look at: checks, names of keys, nullability of keys."""
    modelled = create_engine("sqlite://")
    Base.metadata.create_all(modelled)
    engine = migrated()
    left, right = inspect(modelled), inspect(engine)
    assert sorted(left.get_table_names()) == sorted(set(right.get_table_names()) - {"alembic_version"})
    for table in left.get_table_names():
        assert _by_name(left.get_check_constraints(table)) == _by_name(right.get_check_constraints(table)), table
        assert _by_name(left.get_foreign_keys(table)) == _by_name(right.get_foreign_keys(table)), table
        assert _by_name(left.get_indexes(table)) == _by_name(right.get_indexes(table)), table
        assert left.get_pk_constraint(table) == right.get_pk_constraint(table), table
    modelled.dispose()
    engine.dispose()


def _by_name(constraints: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(constraints, key=lambda constraint: str(constraint["name"]))


def test_the_migrations_comments_are_the_models() -> None:
    """SQLite keeps no comments; what the migrations would tell PostgreSQL is read from their own source."""
    folder = importlib.resources.files("cloud.store.migrations.versions")
    source = "".join(file.read_text() for file in folder.iterdir() if file.name[:1].isdecimal())
    for table in Base.metadata.tables.values():
        for column in table.columns:
            assert f'"{column.comment}"' in source, f"{table.name}.{column.name}"


def test_the_migrations_form_one_line_and_are_numbered_in_order() -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_database_of_an_earlier_schema_is_brought_up_to_date_and_keeps_its_rows(
    revision: str, tmp_path: Path
) -> None:
    """The earlier schema is made by its own migrations, and filled with what it had tables for."""
    database = sqlite_database(tmp_path)
    store = database.open()
    one_open(store)
    before = everything(store)
    store.close()
    later = sqlite3.connect(tmp_path / "federation.sqlite")
    for newer in (number for number in CAME_WITH if number > revision):
        for statement in CAME_WITH[newer]:
            later.execute(statement)
    later.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    later.commit()
    later.close()
    store = database.open()
    assert everything(store) == before
    store.close()


def test_a_current_database_is_opened_without_a_write(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)
    database.open().close()
    holder = sqlite3.connect(tmp_path / "federation.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # a write would wait for this in vain
    database.open().close()
    holder.close()


def test_a_database_of_a_newer_schema_is_refused_with_both_revisions_and_the_remedy(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)
    store = database.open()
    one_open(store)
    before = everything(store)
    store.close()
    path = tmp_path / "federation.sqlite"
    with_revision(path, "9999")
    for opening in (open_store, open_reader):
        with pytest.raises(StoreError) as error:
            opening(database.url)
        assert error.value.exit_code == 6
        assert str(path) in error.value.message
        assert "9999" in error.value.message
        assert HEAD in error.value.message
        assert "\n" not in error.value.message
        assert "the fedloge version that wrote it" in error.value.remedy
    with_revision(path, HEAD)
    store = database.open()
    assert everything(store) == before
    store.close()


def test_a_reader_does_not_migrate(tmp_path: Path) -> None:
    path = tmp_path / "federation.sqlite"
    sqlite3.connect(path).close()
    path.touch()
    with pytest.raises(StoreError, match="is of schema none") as error:
        open_reader(f"sqlite:///{path}")
    assert "fedloge cloud start" in error.value.remedy
    assert path.stat().st_size == 0


def test_tables_of_something_else_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "federation.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE holiday_pictures (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="holds tables of something else: holiday_pictures"):
        open_store(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("holiday_pictures",)]
    connection.close()


def test_a_migration_that_is_killed_leaves_nothing_and_runs_again(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path)

    def die_in_the_midst() -> None:
        event.listen(Engine, "before_cursor_execute", lambda *call: "refusals" in call[2] and kill_myself())
        database.open()

    run_and_kill(die_in_the_midst)
    with sqlite3.connect(tmp_path / "federation.sqlite") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()
    store = database.open()
    one_open(store)
    store.close()
