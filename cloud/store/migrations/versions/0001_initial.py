"""The tables of one federation."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables, referred-to ones first."""
    _federation()
    _clients()
    _rounds()
    _participations()
    _evaluations()
    _traffic()
    _refusals()
    _reports()
    _artifacts()


def _time(name: str, comment: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def _blob(name: str, comment: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.String(64), nullable=nullable, comment=comment)


def _round(table: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    comment = {"reports": "Round of the final model", "artifacts": "Round of the model in it"}.get(table, "Its round")
    name = op.f(f"fk_{table}_round_number_rounds")
    column: sa.Column[object] = sa.Column("round_number", sa.Integer(), nullable=False, comment=comment)
    return column, sa.ForeignKeyConstraint(["round_number"], ["rounds.round_number"], name=name)


def _client(table: str, comment: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    name = op.f(f"fk_{table}_client_clients")
    column: sa.Column[object] = sa.Column("client", sa.String(64), nullable=False, comment=comment)
    return column, sa.ForeignKeyConstraint(["client"], ["clients.client"], name=name)


def _figures() -> list[sa.Column[object]]:
    json = sa.JSON(none_as_null=True)
    return [
        sa.Column("num_images", sa.Integer(), comment="Held-out images the figures were measured on"),
        sa.Column("generic", sa.Double(), comment="Accuracy of the generic model on them, 0..1"),
        sa.Column("personal", sa.Double(), comment="Accuracy of the personal model on them, 0..1"),
        sa.Column(
            "alone", sa.Double(), comment="Accuracy of a model trained on that device alone, 0..1; only where asked for"
        ),
        sa.Column("generic_groups", json, comment="Generic accuracy on head, medium, tail; only with report_groups"),
        sa.Column("personal_groups", json, comment="Personal accuracy on head, medium, tail; only with report_groups"),
    ]


def _federation() -> None:
    op.create_table(
        "federation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Always 1"),
        sa.Column("name", sa.String(64), nullable=False, comment="Name, one topic level"),
        sa.Column("state", sa.String(16), nullable=False, comment="joining, training, finishing or complete"),
        sa.Column("waiting_for", sa.Text(), nullable=False, comment="What happens next, in words for the operator"),
        sa.Column("settings_json", sa.Text(), nullable=False, comment="What must not change over a restart, JSON text"),
        _blob("etf_blob", "Blob of the frozen classifier S"),
        _time("created_at", "First start, UTC"),
        sa.CheckConstraint("id = 1", name=op.f("ck_federation_one_row")),
        sa.CheckConstraint(
            "state IN ('joining', 'training', 'finishing', 'complete')", name=op.f("ck_federation_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federation")),
    )


def _clients() -> None:
    op.create_table(
        "clients",
        sa.Column("client", sa.String(64), nullable=False, comment="Id"),
        _time("joined_at", "First sign of life, UTC"),
        _time("last_seen_at", "Last sign of life, UTC"),
        sa.Column("online", sa.Boolean(), nullable=False, comment="Whether the last sign of life was a coming"),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_clients")),
    )


def _rounds() -> None:
    op.create_table(
        "rounds",
        sa.Column("round_number", sa.Integer(), autoincrement=False, nullable=False, comment="Counted from 1"),
        sa.Column("state", sa.String(16), nullable=False, comment="open or committed; only the last one can be open"),
        _blob("base_blob", "Model the round starts from; NULL for round 0", nullable=True),
        sa.Column("quorum", sa.Integer(), nullable=False, comment="Updates that suffice at the deadline"),
        sa.Column(
            "deadline_seconds", sa.Double(), nullable=False, comment="From the announcement; a restart starts it anew"
        ),
        _time("opened_at", "When the plan was committed, UTC"),
        _time("closed_at", "When the model was committed, UTC", nullable=True),
        _blob("blob", "Model after the round; NULL while it is open", nullable=True),
        sa.Column("close_reason", sa.Text(), comment="Why it closed: complete or deadline"),
        sa.Column("seconds", sa.Double(), comment="Wall-clock duration, seconds"),
        sa.CheckConstraint(
            "(state = 'open' AND blob IS NULL AND closed_at IS NULL)"
            " OR (state = 'committed' AND blob IS NOT NULL AND closed_at IS NOT NULL)",
            name=op.f("ck_rounds_committed_means_a_model"),
        ),
        sa.PrimaryKeyConstraint("round_number", name=op.f("pk_rounds")),
    )


def _participations() -> None:
    op.create_table(
        "participations",
        *_round("participations"),
        *_client("participations", "Who was selected"),
        sa.Column(
            "state",
            sa.String(16),
            nullable=False,
            comment="waiting, accepted, rejected, failed, missing (round closed) or late (came after that)",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Code and words, why it was not accepted; else empty"),
        _blob("blob", "The update's bytes in the spool", nullable=True),
        sa.Column("num_examples", sa.BigInteger(), nullable=False, comment="Training images, the update's weight"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="Size of the update"),
        _time("settled_at", "When its fate was recorded, UTC", nullable=True),
        *_figures(),
        sa.CheckConstraint(
            "state IN ('waiting', 'accepted', 'rejected', 'failed', 'missing', 'late')",
            name=op.f("ck_participations_state"),
        ),
        sa.PrimaryKeyConstraint("round_number", "client", name=op.f("pk_participations")),
    )
    op.create_index(
        op.f("ix_participations_client_state_round_number"), "participations", ["client", "state", "round_number"]
    )


def _evaluations() -> None:
    groups = "Accuracy of head, medium, tail, where class counts are known"
    op.create_table(
        "evaluations",
        *_round("evaluations"),
        sa.Column("accuracy", sa.Double(), nullable=False, comment="0..1"),
        sa.Column("group_accuracies", sa.JSON(), nullable=False, comment=groups),
        sa.Column("per_class", sa.JSON(), nullable=False, comment="Accuracy per class in label order"),
        sa.Column("rules", sa.JSON(), nullable=False, comment="Accuracy of every generic rule"),
        sa.PrimaryKeyConstraint("round_number", name=op.f("pk_evaluations")),
    )


def _traffic() -> None:
    op.create_table(
        "traffic",
        *_round("traffic"),
        sa.Column("client", sa.String(64), nullable=False, comment="The other end"),
        sa.Column("direction", sa.String(4), nullable=False, comment="up from or down to the client"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="Payload bytes"),
        sa.CheckConstraint("direction IN ('up', 'down')", name=op.f("ck_traffic_direction")),
        sa.PrimaryKeyConstraint("round_number", "client", "direction", name=op.f("pk_traffic")),
    )
    op.create_index(op.f("ix_traffic_direction_bytes"), "traffic", ["direction", "bytes"])


def _refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("id", sa.Integer(), nullable=False, comment="In the order of recording"),
        sa.Column("client", sa.String(64), nullable=False, comment="On whose lane it came"),
        sa.Column("round_number", sa.Integer(), nullable=False, comment="The round it claimed to answer"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Code and words"),
        sa.Column("times", sa.Integer(), nullable=False, comment="How often the same came"),
        _time("refused_at", "First time, UTC"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
    )
    op.create_index(op.f("ix_refusals_client_round_number"), "refusals", ["client", "round_number"])


def _reports() -> None:
    op.create_table(
        "reports",
        *_client("reports", "Sender"),
        *_round("reports"),
        _blob("onnx", "Digest of its personal ONNX file, which stays on the device"),
        sa.Column("head_note", sa.Text(), nullable=False, comment="How its personal head came to the final backbone"),
        _time("reported_at", "When it was recorded, UTC"),
        *_figures(),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_reports")),
    )


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("path", sa.Text(), nullable=False, comment="Where it is"),
        sa.Column("kind", sa.Text(), nullable=False, comment="What it is, such as generic-onnx"),
        _blob("digest", "SHA-256 of its bytes"),
        *_round("artifacts"),
        _time("recorded_at", "When it was recorded, UTC"),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_artifacts")),
    )
