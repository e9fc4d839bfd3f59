"""Databases, journals and models that are not there, not ours or too new: named, and left as they are."""

import sqlite3
import stat
from pathlib import Path

import pytest

from edge.journal import SCHEMA_VERSION, Journal
from tests.command_line.conftest import Fedloge, tree

READERS = [["status"], ["rounds"], ["rounds", "1"], ["agents"]]


@pytest.fixture
def database(started: Path) -> Path:
    return started.parent / "coordinator" / "federation.sqlite"


@pytest.mark.parametrize("words", READERS)
def test_looking_before_the_start_says_how_to_start_and_creates_nothing(
    fedloge: Fedloge, federation: Path, words: list[str]
) -> None:
    done = fedloge("cloud", *words, "--file", federation, "--json")
    done.refused(6, "there is no database", "federation.sqlite", "fedloge cloud start")
    assert tree(federation.parent).keys() == {"federation.toml"}


def test_a_round_that_has_not_begun_is_no_crash(fedloge: Fedloge, started: Path) -> None:
    fedloge("cloud", "rounds", "99", "--file", started, "--json").refused(7, "round 99 has not begun")


def test_a_federation_at_rest_is_shown_as_such(fedloge: Fedloge, started: Path) -> None:
    done = fedloge("cloud", "status", "--file", started, "--json")
    assert done.code == 0
    assert done.envelope["data"]["coordinator_running"] is False
    assert done.envelope["data"]["rounds_committed"] == 0
    assert fedloge("cloud", "rounds", "--file", started, "--json").envelope["data"]["rounds"] == []
    assert fedloge("cloud", "agents", "--file", started, "--json").envelope["data"]["clients"] == []


def test_a_read_only_database_is_refused_to_the_coordinator_and_shown_to_a_reader(
    fedloge: Fedloge, started: Path, database: Path
) -> None:
    database.chmod(stat.S_IRUSR)
    fedloge("cloud", "start", started, "--json").refused(6, f"{database} is read-only", "chmod u+w")
    assert fedloge("cloud", "status", "--file", started).code == 0


def test_a_database_of_a_newer_version_is_refused_by_every_command(
    fedloge: Fedloge, started: Path, database: Path
) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = database.read_bytes()
    fedloge("cloud", "start", started, "--json").refused(6, "is of schema 9999, newer than", "upgrade")
    for words in READERS:
        fedloge("cloud", *words, "--file", started, "--json").refused(6, "is of schema 9999")
    assert database.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_kept(fedloge: Fedloge, federation: Path) -> None:
    folder = federation.parent / "coordinator"
    folder.mkdir()
    (folder / "federation.sqlite").write_text("my diary\n" * 500)
    fedloge("cloud", "start", federation, "--json").refused(6, "file is not a database", "[store] database")
    fedloge("cloud", "status", "--file", federation).refused(6, "file is not a database")
    assert (folder / "federation.sqlite").read_text() == "my diary\n" * 500


def test_a_database_url_that_is_none_is_refused_without_its_password(fedloge: Fedloge, federation: Path) -> None:
    text = federation.read_text()
    for url, words in {
        "nonsense": ["is no database URL", "sqlite:////"],
        "foo://u:hunter2@host/x": ["foo"],
    }.items():
        federation.write_text(text.replace('database = ""', f'database = "{url}"'))
        for done in (fedloge("cloud", "start", federation), fedloge("cloud", "status", "--file", federation)):
            done.refused(6, *words)
            assert "hunter2" not in done.err


@pytest.fixture
def agent(join: Path, images: Path, tmp_path: Path) -> list[str | Path]:
    """The words that start an agent up to its connection, which fails with exit code 5."""
    return ["edge", "run", "--join", join, "--data", f"folder:{images}", "--state", tmp_path / "state", "--json"]


def test_a_state_folder_of_another_client_or_federation_is_refused(
    fedloge: Fedloge, agent: list[str | Path], join: Path
) -> None:
    fedloge(*agent, "--client", "c1").refused(5)
    fedloge(*agent).refused(5)
    fedloge(*agent, "--client", "c2").refused(6, "belongs to client c1 of federation tiny", "another --state")
    join.write_text('{"federation": "other", "url": "mqtt://127.0.0.1:1"}')
    fedloge(*agent).refused(6, "belongs to client c1 of federation tiny")


def test_a_newer_foreign_or_damaged_journal_is_refused_and_kept(
    fedloge: Fedloge, agent: list[str | Path], tmp_path: Path
) -> None:
    path = tmp_path / "state" / "agent.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    _refused_and_kept(fedloge, agent, path, f"has schema {SCHEMA_VERSION + 1}")
    for version in (0, SCHEMA_VERSION):
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE recipes (name TEXT)")
            database.execute(f"PRAGMA user_version = {version}")
        database.close()
        _refused_and_kept(fedloge, agent, path, "is no journal: it holds recipes")
    path.write_text("my diary\n" * 500)
    _refused_and_kept(fedloge, agent, path, "file is not a database")


def _refused_and_kept(fedloge: Fedloge, agent: list[str | Path], path: Path, words: str) -> None:
    before = path.read_bytes()
    fedloge(*agent).refused(6, str(path), words)
    assert path.read_bytes() == before


def test_a_state_folder_that_cannot_be_one_is_named(fedloge: Fedloge, agent: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    fedloge(*agent).refused(9, f"cannot use {tmp_path / 'state'}", "--state")


def test_there_is_nothing_to_export_before_a_round_is_committed(
    fedloge: Fedloge, started: Path, tmp_path: Path
) -> None:
    folder = started.parent / "coordinator"
    fedloge("export", "generic", "--artifacts", folder, "--json").refused(7, "no round is committed yet", str(folder))
    state = tmp_path / "state"
    fedloge("export", "personal", "--state", state, "--json").refused(7, "there is no personal model yet", str(state))


def test_verify_names_a_missing_file_and_a_missing_record(fedloge: Fedloge, tmp_path: Path) -> None:
    absent = tmp_path / "absent.onnx"
    for path in (absent, tmp_path / "bare.onnx"):
        (tmp_path / "bare.onnx").write_bytes(b"some bytes")
        done = fedloge("export", "verify", path, "--json")
        assert done.code == 8
        assert done.envelope["status"] == "error"
        (file,) = done.envelope["data"]["files"]
        assert not file["verified"]
        assert str(path) in file["error"]
        assert file["remedy"]
        assert "Traceback" not in done.err
