"""Bring a database to this version's tables, or say why it cannot be used."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from cloud.store.database import WRITING
from shared.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, database: str) -> None:
    """Run the migrations the database has not seen, all in one transaction; a current one is not written to.

    Args:
        engine: Opened for writing.
        database: How the operator knows it.

    Raises:
        StoreError: It is of a newer schema, or holds something else's tables; nothing was changed.
    """
    scripts = _scripts()
    with engine.connect() as connection:
        if _revision(connection, scripts, database) == scripts.get_current_head():
            return
    with engine.execution_options(**{WRITING: True}).begin() as connection:
        if _revision(connection, scripts, database) is None:
            _refuse_foreign_tables(connection, database)
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_current(engine: Engine, database: str) -> None:
    """Refuse a database whose tables are not exactly this version's; nothing is changed.

    Raises:
        StoreError: It is of a newer or an older schema, or has none.
    """
    scripts = _scripts()
    with engine.connect() as connection:
        revision = _revision(connection, scripts, database)
    if revision != scripts.get_current_head():
        raise StoreError(
            f"database {database} is of schema {revision or 'none'}, this fedloge reads {scripts.get_current_head()}",
            remedy="bring it up to date with: fedloge cloud start FILE",
        )


def alembic_config() -> Config:
    """Return Alembic's settings for our migrations; there is no ini file to go stale."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _revision(connection: Connection, scripts: ScriptDirectory, database: str) -> str | None:
    """Return the database's revision, None when it has none; refuse one that this version does not know."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreError(
            f"database {database} is of schema {revision}, newer than {scripts.get_current_head()},"
            " the newest this fedloge knows",
            remedy="use the fedloge version that wrote it (pip install --upgrade fedloge), or another [store] folder",
        )
    return revision


def _refuse_foreign_tables(connection: Connection, database: str) -> None:
    tables = sorted(inspect(connection).get_table_names())
    if tables:
        raise StoreError(
            f"database {database} holds tables of something else: {', '.join(tables[:5])}",
            remedy="choose another file with [store] database in the federation file",
        )
