"""The schema's promises: documented, portable, indexed for named queries, and nothing of a client's classes in it."""

import importlib
import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import JSON, DateTime, Engine, Index, event
from sqlalchemy.schema import CreateTable

from cloud.store.contract import RoundStore
from cloud.store.tables import Base
from tests.stores import Database, one_open, sqlite_database

COLUMNS = [column for table in Base.metadata.tables.values() for column in table.columns]
INDEXES = [index for table in Base.metadata.tables.values() for index in table.indexes]


def test_every_column_says_what_it_holds() -> None:
    assert [str(column) for column in COLUMNS if not column.comment] == []


def test_every_constraint_and_index_has_a_name() -> None:
    for table in Base.metadata.tables.values():
        assert all(re.fullmatch(r"(pk|fk|ck|uq)_\w+", str(constraint.name)) for constraint in table.constraints), table
    assert all(re.fullmatch(r"ix_\w+", str(index.name)) for index in INDEXES)


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
def test_every_index_serves_the_query_it_names(index: Index, tmp_path: Path) -> None:
    call = re.match(r"(\w+)\(\)", index.info["serves"])
    assert call is not None, index.info
    database = sqlite_database(tmp_path)
    store = database.open()
    one_open(store)
    assert any(str(index.name) in plan for plan in _plans(store, call[1])), f"{call[1]} does not use {index.name}"
    store.close()


def _plans(store: RoundStore, method: str) -> list[str]:
    """How SQLite would answer each statement of a method."""
    statements = []
    engine: Engine = store._engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
    arguments: dict[str, object] = {"round_number": 9, "reason": "x"} if method == "record_refusal" else {}
    getattr(store, method)(*["zoe"] * bool(arguments), **arguments)
    selects = [(sql, values) for sql, values in statements if sql.startswith("SELECT")]
    with engine.connect() as connection:
        return [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()) for sql, values in selects
        ]


def test_no_column_can_hold_a_clients_class_counts_or_per_class_figures() -> None:
    """Free-form columns are few and named here; those about a client hold three groups only where it was asked to."""
    free_form = {f"{column.table.name}.{column.name}" for column in COLUMNS if isinstance(column.type, JSON)}
    assert free_form == {
        "evaluations.group_accuracies",
        "evaluations.per_class",
        "evaluations.rules",
        "participations.generic_groups",
        "participations.personal_groups",
        "reports.generic_groups",
        "reports.personal_groups",
    }
    about_clients = [column.name for column in COLUMNS if "client" in column.table.columns]
    assert not [name for name in about_clients if re.search("class|histogram|label|phi|head$", name)]


def test_every_time_is_aware() -> None:
    times = [column for column in COLUMNS if column.name.endswith("_at")]
    assert times
    for column in times:
        kind = column.type.dialect_impl(_dialect("postgresql"))
        assert isinstance(kind.impl_instance, DateTime)  # type: ignore[attr-defined]
        assert kind.impl_instance.timezone  # type: ignore[attr-defined]


def _dialect(name: str) -> object:
    return importlib.import_module(f"sqlalchemy.dialects.{name}").dialect()


def test_the_models_compile_for_postgresql() -> None:
    for table in Base.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=_dialect("postgresql")))  # type: ignore[arg-type]


def test_names_fit_into_postgresqls_63_bytes() -> None:
    names = [str(constraint.name) for table in Base.metadata.tables.values() for constraint in table.constraints]
    assert max(len(name) for name in [*names, *(str(index.name) for index in INDEXES)]) <= 63


def test_two_federations_do_not_fit_into_one_database(tmp_path: Path) -> None:
    database: Database = sqlite_database(tmp_path)
    store = database.open()
    one_open(store)
    store.close()
    with sqlite3.connect(tmp_path / "federation.sqlite") as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO federation (id, name, state, waiting_for, settings_json, etf_blob, created_at)"
            " SELECT 2, name, state, waiting_for, settings_json, etf_blob, created_at FROM federation"
        )
    connection.close()
