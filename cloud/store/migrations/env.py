"""Alembic's entry: run the migrations on the connection, and in the transaction, that the caller opened."""

from alembic import context

from cloud.store.tables import Base

# Batch mode: SQLite changes most things about a table only by rebuilding it.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
