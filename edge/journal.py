"""What this device received, trained and sent: SQLite, so that a power cut forgets nothing and repeats nothing.

A round's new head and update are files, written before the row that names them: a row therefore always has its files,
and a file without a row is as if it had never been written.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from edge.journal_schema import SCHEMA_VERSION, STEPS
from shared.blobs import make_folder
from shared.crash_points import passing
from shared.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRound:
    """One round this device trained.

    Attributes:
        round_number: Counted from 1.
        base: Blob of the model it was trained from.
        update_blob: Blob of the update.
        num_examples: Images trained on.
        figures: ``ClientFigures`` of the received model, as JSON.
        phi_blob: Blob of the personal head after this round; it never leaves this device.
        outcome: "offered", "accepted" or the reason of a rejection.
    """

    round_number: int
    base: str
    update_blob: str
    num_examples: int
    figures: str
    phi_blob: str
    outcome: str = "offered"


class Journal:
    """The agent's memory.

    Args:
        path: The SQLite file; created when missing.

    Raises:
        StoreError: It cannot be written, is no journal, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._failures_named():
            make_folder(path.parent)
            self._db = sqlite3.connect(path, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as cause:
            raise StoreError(
                f"cannot use the journal {self.path}: {cause}",
                remedy="free space or mend the folder's rights, then start again; if it is damaged: another --state",
            ) from cause

    def _open(self) -> None:
        """Make or check the tables before anything is written into a file that may be somebody else's."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the journal {self.path} has schema {version}, this program knows {SCHEMA_VERSION}",
                remedy="upgrade fedloge on this device",
            )
        if tables if version == 0 else "identity" not in tables:
            raise StoreError(
                f"{self.path} is no journal: it holds {', '.join(sorted(tables)[:5]) or 'no tables'}",
                remedy="choose another --state folder",
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a power cut must not lose what was acknowledged
        for step in range(version, SCHEMA_VERSION):
            passing("journal.write", f"schema {step + 1}")
            self._db.executescript(f"BEGIN IMMEDIATE; {STEPS[step]} PRAGMA user_version = {step + 1}; COMMIT;")
            passing("journal.written", f"schema {step + 1}")

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement, which is durable when this returns, and return its rows.

        Raises:
            StoreError: The disk is full, the file is read-only or damaged.
        """
        with self._failures_named():
            return self._db.execute(statement, values).fetchall()

    def _write(self, step: str, statement: str, *values: Any) -> None:
        """Run one statement that changes what is on record."""
        passing("journal.write", step)
        self.run(statement, *values)
        passing("journal.written", step)

    def identify(self, client: str | None, federation: str) -> str:
        """Return this device's client id; it is drawn or taken once, and kept.

        Args:
            client: The id asked for, or None for the one on record (or a new one).
            federation: The federation to serve; a state folder serves one for ever.

        Raises:
            StoreError: The folder belongs to another client or federation.
        """
        rows = self.run("SELECT client, federation FROM identity")
        if not rows:
            chosen = client or f"device-{uuid.uuid4().hex[:12]}"
            self._write("identify", "INSERT INTO identity VALUES (?, ?)", chosen, federation)
            return chosen
        row = rows[0]
        if client not in {None, row[0]} or federation != row[1]:
            raise StoreError(
                f"{self.path.parent} belongs to client {row[0]} of federation {row[1]}",
                remedy="choose another --state folder, one per client and federation",
            )
        return str(row[0])

    def record(self, trained: TrainedRound) -> None:
        """Record a trained round; its files must be on disk already."""
        self._write("record", "INSERT OR REPLACE INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?)", *astuple(trained))

    def settle(self, round_number: int, outcome: str) -> None:
        """Record what became of a round's update."""
        self._write("settle", "UPDATE rounds SET outcome = ? WHERE round = ?", outcome, round_number)

    def round(self, round_number: int) -> TrainedRound | None:
        """Return one trained round, or None."""
        return self._one("SELECT * FROM rounds WHERE round = ?", round_number)

    def before(self, round_number: int) -> TrainedRound | None:
        """Return the last round trained before this one, or None: where its personal head comes from."""
        return self._one("SELECT * FROM rounds WHERE round < ? ORDER BY round DESC LIMIT 1", round_number)

    def _one(self, query: str, round_number: int) -> TrainedRound | None:
        rows = self.run(query, round_number)
        if not rows:
            return None
        number, base, update_blob, num_examples, figures, phi_blob, outcome = rows[0]
        return TrainedRound(
            round_number=number,
            base=base,
            update_blob=update_blob,
            num_examples=num_examples,
            figures=figures,
            phi_blob=phi_blob,
            outcome=outcome,
        )

    def rounds_trained(self) -> int:
        """Return how many rounds this device trained."""
        return int(self.run("SELECT count(*) FROM rounds")[0][0])

    def superseded(self, keep_from: int) -> set[str]:
        """Return the files of rounds before ``keep_from`` that no later round names: models, updates and heads."""
        rows = self.run("SELECT round, base, update_blob, phi_blob FROM rounds")
        kept = {blob for number, *blobs in rows if number >= keep_from for blob in blobs}
        return {blob for number, *blobs in rows if number < keep_from for blob in blobs} - kept

    def record_report(self, round_number: int, model: str, report: str) -> None:
        """Record the final report on a model, as JSON."""
        self._write("record_report", "INSERT OR REPLACE INTO reports VALUES (?, ?, ?)", round_number, model, report)

    def report(self, model: str) -> str | None:
        """Return the final report on a model, or None when it has not been made."""
        rows = self.run("SELECT report FROM reports WHERE model = ?", model)
        return str(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the journal."""
        self._db.close()
