"""Which model serves on which device, and who could not make one.

Two new tables and nothing else: the code before this migration does not look at them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "report_failures",
        sa.Column("client", sa.String(64), nullable=False, comment="Who said so"),
        sa.Column("round_number", sa.Integer(), nullable=False, comment="Round of the model it was given"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Its words"),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False, comment="When it was recorded, UTC"),
        sa.ForeignKeyConstraint(["client"], ["clients.client"], name=op.f("fk_report_failures_client_clients")),
        sa.ForeignKeyConstraint(
            ["round_number"], ["rounds.round_number"], name=op.f("fk_report_failures_round_number_rounds")
        ),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_report_failures")),
    )
    op.create_table(
        "client_models",
        sa.Column("id", sa.Integer(), nullable=False, comment="In the order of reporting"),
        sa.Column("client", sa.String(64), nullable=False, comment="On whose device it serves"),
        sa.Column(
            "digest", sa.String(64), nullable=False, comment="SHA-256 of the ONNX file, which stays on the device"
        ),
        sa.Column("kind", sa.String(16), nullable=False, comment="Whose model it is: personal or generic"),
        sa.Column(
            "round_number", sa.Integer(), nullable=False, comment="Last round that went into it, by the client's word"
        ),
        sa.Column("max_abs_error", sa.Double(), nullable=False, comment="Largest difference of a logit to PyTorch"),
        sa.Column("accuracy", sa.Double(), comment="Of the file on its held-out images, 0..1; NULL without any"),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first reported, UTC"),
        sa.CheckConstraint("kind IN ('generic', 'personal')", name=op.f("ck_client_models_kind")),
        sa.ForeignKeyConstraint(["client"], ["clients.client"], name=op.f("fk_client_models_client_clients")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_models")),
    )
    op.create_index(op.f("ix_client_models_client_id"), "client_models", ["client", "id"])
