"""Alembic migrations, run by ``cloud.store.schema.upgrade`` when the coordinator starts.

A released migration never changes. Each one leaves the previous version of the code able to read the database, names
its constraints by the convention in ``cloud.store.tables``, and has no downgrade: a backup is the way back.
"""
