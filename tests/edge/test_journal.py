import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.journal import SCHEMA_VERSION, Journal, TrainedRound
from shared.errors import StoreError

ROUND = TrainedRound(
    round_number=1, base="a" * 64, update_blob="b" * 64, num_examples=9, figures="{}", phi_blob="c" * 64
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "agent.sqlite"


def test_the_client_id_is_drawn_once_and_kept(path: Path) -> None:
    first = Journal(path).identify(None, "demo")
    assert first.startswith("device-")
    assert Journal(path).identify(None, "demo") == first
    assert Journal(path).identify(first, "demo") == first


def test_a_folder_serves_one_client_of_one_federation(path: Path) -> None:
    Journal(path).identify("client-00", "demo")
    for client, federation in (("client-01", "demo"), ("client-00", "other"), (None, "other")):
        with pytest.raises(StoreError, match="belongs to client client-00 of federation demo"):
            Journal(path).identify(client, federation)


def test_what_was_recorded_is_read_back_after_reopening(path: Path) -> None:
    journal = Journal(path)
    journal.record(ROUND)
    journal.settle(1, "accepted")
    journal.record_report(1, "m" * 64, '{"x": 1}')
    journal.close()
    again = Journal(path)
    assert again.round(1) == replace(ROUND, outcome="accepted")
    assert again.round(2) is None
    assert again.report("m" * 64) == '{"x": 1}'
    assert again.report("n" * 64) is None
    assert again.rounds_trained() == 1


def test_the_head_before_a_round_is_the_last_one_trained_earlier(path: Path) -> None:
    journal = Journal(path)
    for number in (1, 2, 5):
        journal.record(replace(ROUND, round_number=number, phi_blob=str(number) * 64))
    assert journal.before(1) is None
    assert journal.before(5).round_number == 2
    assert journal.before(6).round_number == 5
    assert journal.before(5).phi_blob == "2" * 64


def test_only_files_that_no_later_round_names_are_superseded(path: Path) -> None:
    journal = Journal(path)
    journal.record(replace(ROUND, round_number=1, base="1", update_blob="u1", phi_blob="same"))
    journal.record(replace(ROUND, round_number=2, base="2", update_blob="u2", phi_blob="same"))
    assert journal.superseded(keep_from=2) == {"1", "u1"}
    assert journal.superseded(keep_from=1) == set()


def test_a_newer_journal_is_refused(path: Path) -> None:
    Journal(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(StoreError, match=f"schema {SCHEMA_VERSION + 1}, this program knows {SCHEMA_VERSION}"):
        Journal(path)


def test_an_empty_file_is_upgraded_and_a_foreign_one_refused(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert Journal(path).identify("client-00", "demo") == "client-00"
    foreign = path.with_name("foreign.sqlite")
    foreign.write_bytes(b"no database at all, but long enough to be read as a header" * 20)
    with pytest.raises(StoreError, match="cannot use the journal"):
        Journal(foreign)


def test_a_killed_process_leaves_what_it_recorded(path: Path) -> None:
    script = (
        "import sys, os, signal\nfrom pathlib import Path\nfrom edge.journal import Journal, TrainedRound\n"
        f"journal = Journal(Path(sys.argv[1]))\njournal.identify('client-00', 'demo')\n"
        f"journal.record({ROUND!r})\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False, env=os.environ | {"PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL
    assert Journal(path).round(1) == ROUND
