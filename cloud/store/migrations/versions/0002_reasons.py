"""What is waited for and until when, how far each participant came, and how many updates suffice.

Every new column may be NULL, so that the program before this one goes on with the database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; no row is touched."""
    op.add_column("federation", sa.Column("reason", sa.String(32), comment="Code of what it waits for"))
    op.add_column(
        "federation", _time("waiting_until", "Deadline of the wait, UTC; NULL where none runs", nullable=True)
    )
    op.add_column(
        "rounds", sa.Column("wanted", sa.Integer(), comment="Updates that close it at once; NULL waits for all")
    )
    op.add_column(
        "participations",
        sa.Column("stage", sa.String(16), comment="How far it came: told or offered; NULL before that"),
    )
    op.add_column("participations", _time("stage_at", "Since when, UTC", nullable=True))


def _time(name: str, comment: str, *, nullable: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)
