"""The journal's tables, one step per schema version, each run once on every journal in one transaction."""

from typing import Final

STEPS: Final = (
    """
CREATE TABLE identity (client TEXT NOT NULL, federation TEXT);
CREATE TABLE rounds (
    round INTEGER PRIMARY KEY, base TEXT NOT NULL, update_blob TEXT NOT NULL, num_examples INTEGER NOT NULL,
    figures TEXT NOT NULL, phi_blob TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE TABLE reports (round INTEGER PRIMARY KEY, model TEXT NOT NULL, report TEXT NOT NULL);
""",
    """
CREATE TABLE IF NOT EXISTS models (
    version INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL, kind TEXT NOT NULL, round INTEGER NOT NULL,
    origin TEXT NOT NULL, max_abs_error REAL NOT NULL, accuracy REAL, made_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS activations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL REFERENCES models (version), previous INTEGER,
    event TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, verdict TEXT, at TEXT NOT NULL
);
""",
)
"""Never changed, only appended to: a device in the field upgrades from any of them."""

SCHEMA_VERSION: Final = len(STEPS)
