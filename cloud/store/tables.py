"""The tables of one federation; one database holds one federation.

Portable SQL: nothing here is SQLite's alone. Every column says what it holds, and every index which query it serves
(``info["serves"]``); tests hold both to it.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloud.store.figures import FigureColumns
from cloud.store.utc import UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name that follows from what it is, so that a later migration can change it anywhere."""

Name = String(64)
"""A federation's or client's name, ``shared.topics.NAME_PATTERN``."""

Sha256 = String(64)
"""A digest in hexadecimal: the name of a blob."""


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, float: Double, str: Text}


class Federation(Base):
    """What is being trained and what the coordinator does now; one row."""

    __tablename__ = "federation"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("state IN ('joining', 'training', 'finishing', 'complete')", name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Always 1")
    name: Mapped[str] = mapped_column(Name, comment="Name, one topic level")
    state: Mapped[str] = mapped_column(String(16), comment="joining, training, finishing or complete")
    waiting_for: Mapped[str] = mapped_column(comment="What happens next, in words for the operator")
    reason: Mapped[str | None] = mapped_column(String(32), comment="Code of what it waits for")
    waiting_until: Mapped[datetime | None] = mapped_column(comment="Deadline of the wait, UTC; NULL where none runs")
    settings_json: Mapped[str] = mapped_column(comment="What must not change over a restart, JSON text")
    etf_blob: Mapped[str] = mapped_column(Sha256, comment="Blob of the frozen classifier S")
    created_at: Mapped[datetime] = mapped_column(comment="First start, UTC")


class Client(Base):
    """A participant that came online at least once."""

    __tablename__ = "clients"

    client: Mapped[str] = mapped_column(Name, primary_key=True, comment="Id")
    joined_at: Mapped[datetime] = mapped_column(comment="First sign of life, UTC")
    last_seen_at: Mapped[datetime] = mapped_column(comment="Last sign of life, UTC")
    online: Mapped[bool] = mapped_column(comment="Whether the last sign of life was a coming")


class Round(Base):
    """One round, from its plan to its model; number 0 is the initial model."""

    __tablename__ = "rounds"
    __table_args__ = (
        CheckConstraint(
            "(state = 'open' AND blob IS NULL AND closed_at IS NULL)"
            " OR (state = 'committed' AND blob IS NOT NULL AND closed_at IS NOT NULL)",
            name="committed_means_a_model",
        ),
    )

    round_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Counted from 1")
    state: Mapped[str] = mapped_column(String(16), comment="open or committed; only the last one can be open")
    base_blob: Mapped[str | None] = mapped_column(Sha256, comment="Model the round starts from; NULL for round 0")
    quorum: Mapped[int] = mapped_column(comment="Updates that suffice at the deadline")
    wanted: Mapped[int | None] = mapped_column(comment="Updates that close it at once; NULL waits for all")
    deadline_seconds: Mapped[float] = mapped_column(comment="From the announcement; a restart starts it anew")
    opened_at: Mapped[datetime] = mapped_column(comment="When the plan was committed, UTC")
    closed_at: Mapped[datetime | None] = mapped_column(comment="When the model was committed, UTC")
    blob: Mapped[str | None] = mapped_column(Sha256, comment="Model after the round; NULL while it is open")
    close_reason: Mapped[str | None] = mapped_column(comment="Why it closed: complete or deadline")
    seconds: Mapped[float | None] = mapped_column(comment="Wall-clock duration, seconds")


class Participation(FigureColumns, Base):
    """One selected client's part in a round, and what became of its update."""

    __tablename__ = "participations"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'accepted', 'rejected', 'failed', 'missing', 'late')", name="state"),
        Index(
            None,
            "client",
            "state",
            "round_number",
            info={"serves": "clients(): accepted rounds and the last one, per client"},
        ),
    )

    round_number: Mapped[int] = mapped_column(ForeignKey(Round.round_number), primary_key=True, comment="Its round")
    client: Mapped[str] = mapped_column(Name, ForeignKey(Client.client), primary_key=True, comment="Who was selected")
    state: Mapped[str] = mapped_column(
        String(16), comment="waiting, accepted, rejected, failed, missing (round closed) or late (came after that)"
    )
    reason: Mapped[str] = mapped_column(comment="Code and words, why it was not accepted; else empty")
    blob: Mapped[str | None] = mapped_column(Sha256, comment="The update's bytes in the spool")
    num_examples: Mapped[int] = mapped_column(BigInteger, comment="Training images, the update's weight")
    size_bytes: Mapped[int] = mapped_column(BigInteger, comment="Size of the update")
    settled_at: Mapped[datetime | None] = mapped_column(comment="When its fate was recorded, UTC")
    stage: Mapped[str | None] = mapped_column(String(16), comment="How far it came: told or offered; NULL before that")
    stage_at: Mapped[datetime | None] = mapped_column(comment="Since when, UTC")


class EvaluationRow(Base):
    """The generic model of a round on the coordinator's labelled images."""

    __tablename__ = "evaluations"

    round_number: Mapped[int] = mapped_column(ForeignKey(Round.round_number), primary_key=True, comment="Its round")
    accuracy: Mapped[float] = mapped_column(comment="0..1")
    group_accuracies: Mapped[dict[str, float | None]] = mapped_column(
        JSON, comment="Accuracy of head, medium, tail, where class counts are known"
    )
    per_class: Mapped[list[float | None]] = mapped_column(JSON, comment="Accuracy per class in label order")
    rules: Mapped[dict[str, float]] = mapped_column(JSON, comment="Accuracy of every generic rule")


class Traffic(Base):
    """Payload bytes; round 0 counts what belongs to no round: joining and finishing.

    The other end needs not be a known client: bytes on a lane count whoever sent them; "*" is everybody at once.
    """

    __tablename__ = "traffic"
    __table_args__ = (
        CheckConstraint("direction IN ('up', 'down')", name="direction"),
        Index(None, "direction", "bytes", info={"serves": "federation(): total bytes of each direction"}),
    )

    round_number: Mapped[int] = mapped_column(ForeignKey(Round.round_number), primary_key=True, comment="Its round")
    client: Mapped[str] = mapped_column(Name, primary_key=True, comment="The other end")
    direction: Mapped[str] = mapped_column(String(4), primary_key=True, comment="up from or down to the client")
    bytes: Mapped[int] = mapped_column(BigInteger, comment="Payload bytes")


class Refusal(Base):
    """An offer that fits no selected participant of an existing round; sender and round are only claims."""

    __tablename__ = "refusals"
    __table_args__ = (
        Index(None, "client", "round_number", info={"serves": "record_refusal(): was the same one recorded before"}),
    )

    id: Mapped[int] = mapped_column(primary_key=True, comment="In the order of recording")
    client: Mapped[str] = mapped_column(Name, comment="On whose lane it came")
    round_number: Mapped[int] = mapped_column(comment="The round it claimed to answer")
    reason: Mapped[str] = mapped_column(comment="Code and words")
    times: Mapped[int] = mapped_column(comment="How often the same came")
    refused_at: Mapped[datetime] = mapped_column(comment="First time, UTC")


class Report(FigureColumns, Base):
    """A client's final report."""

    __tablename__ = "reports"

    client: Mapped[str] = mapped_column(Name, ForeignKey(Client.client), primary_key=True, comment="Sender")
    round_number: Mapped[int] = mapped_column(ForeignKey(Round.round_number), comment="Round of the final model")
    onnx: Mapped[str] = mapped_column(Sha256, comment="Digest of its personal ONNX file, which stays on the device")
    head_note: Mapped[str] = mapped_column(comment="How its personal head came to the final backbone")
    reported_at: Mapped[datetime] = mapped_column(comment="When it was recorded, UTC")


class ReportFailure(Base):
    """A client that could not make its personal model at the end, and said so."""

    __tablename__ = "report_failures"

    client: Mapped[str] = mapped_column(Name, ForeignKey(Client.client), primary_key=True, comment="Who said so")
    round_number: Mapped[int] = mapped_column(ForeignKey(Round.round_number), comment="Round of the model it was given")
    reason: Mapped[str] = mapped_column(comment="Its words")
    failed_at: Mapped[datetime] = mapped_column(comment="When it was recorded, UTC")


class ClientModel(Base):
    """A model version that a client reported as the one that serves; the last one of a client is its current one."""

    __tablename__ = "client_models"
    __table_args__ = (
        CheckConstraint("kind IN ('generic', 'personal')", name="kind"),
        Index(None, "client", "id", info={"serves": "models(): the last one that each client reported"}),
    )

    id: Mapped[int] = mapped_column(primary_key=True, comment="In the order of reporting")
    client: Mapped[str] = mapped_column(Name, ForeignKey(Client.client), comment="On whose device it serves")
    digest: Mapped[str] = mapped_column(Sha256, comment="SHA-256 of the ONNX file, which stays on the device")
    kind: Mapped[str] = mapped_column(String(16), comment="Whose model it is: personal or generic")
    round_number: Mapped[int] = mapped_column(comment="Last round that went into it, by the client's word")
    max_abs_error: Mapped[float] = mapped_column(comment="Largest difference of a logit to PyTorch")
    accuracy: Mapped[float | None] = mapped_column(comment="Of the file on its held-out images, 0..1; NULL without any")
    reported_at: Mapped[datetime] = mapped_column(comment="When it was first reported, UTC")


class Artifact(Base):
    """A file the coordinator exported."""

    __tablename__ = "artifacts"

    path: Mapped[str] = mapped_column(primary_key=True, comment="Where it is")
    kind: Mapped[str] = mapped_column(comment="What it is, such as generic-onnx")
    digest: Mapped[str] = mapped_column(Sha256, comment="SHA-256 of its bytes")
    round_number: Mapped[int] = mapped_column(ForeignKey(Round.round_number), comment="Round of the model in it")
    recorded_at: Mapped[datetime] = mapped_column(comment="When it was recorded, UTC")
