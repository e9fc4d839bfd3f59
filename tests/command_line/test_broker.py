"""A broker that cannot be used: exit code 5, the address and the remedy, and no password anywhere."""

import json
import socket
from pathlib import Path

import pytest

from cloud import embedded
from tests.brokers import Embedded
from tests.command_line.conftest import Fedloge


@pytest.fixture
def agent(join: Path, images: Path, tmp_path: Path) -> list[str | Path]:
    """The words that start an agent; ``join`` says where the broker is."""
    return ["edge", "run", "--join", join, "--data", f"folder:{images}", "--state", tmp_path / "state", "--json"]


def test_a_broker_that_is_not_there_is_named_by_both_sides(
    fedloge: Fedloge, agent: list[str | Path], started: Path
) -> None:
    fedloge(*agent).refused(5, "no broker at 127.0.0.1:1: Connection refused", "check the URL")
    started.write_text(started.read_text().replace('url = "embedded"', 'url = "mqtt://127.0.0.1:1"'))
    fedloge("cloud", "start", started, "--json").refused(5, "no broker at 127.0.0.1:1: Connection refused")


def test_a_host_that_does_not_exist_is_named(fedloge: Fedloge, agent: list[str | Path], join: Path) -> None:
    join.write_text('{"federation": "tiny", "url": "mqtt://host.invalid"}')
    fedloge(*agent).refused(5, "no broker at host.invalid:1883")


def test_wrong_credentials_are_refused_and_not_shown(
    fedloge: Fedloge, agent: list[str | Path], join: Path, embedded_broker: Embedded
) -> None:
    endpoint = embedded_broker.endpoint
    wrong = {"federation": "tiny", "url": endpoint.url, "username": endpoint.username, "password": "hunter2"}
    join.write_text(json.dumps(wrong))
    done = fedloge(*agent)
    done.refused(5, endpoint.url.removeprefix("mqtt://"), "username and password in the join file")
    assert "hunter2" not in done.out + done.err


def test_credentials_in_the_join_files_url_are_refused_and_not_shown(
    fedloge: Fedloge, agent: list[str | Path], join: Path
) -> None:
    join.write_text('{"federation": "tiny", "url": "mqtt://user:hunter2@host"}')
    done = fedloge(*agent)
    done.refused(5, "credentials in the broker's URL are refused")
    assert "hunter2" not in done.out + done.err


def test_a_taken_port_of_the_embedded_broker_is_named_with_the_file_that_keeps_it(
    fedloge: Fedloge, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_RELEASE_SECONDS", 0.2)
    file = started.parent / "coordinator" / "broker.json"
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        file.write_text(json.dumps({"port": port, "username": "u", "password": "p"}))
        fedloge("cloud", "start", started, "--json").refused(5, f"port {port} is taken", str(file))


def test_a_damaged_broker_account_is_named(fedloge: Fedloge, started: Path) -> None:
    file = started.parent / "coordinator" / "broker.json"
    for payload in (b"{", b'{"port": "x"}', b'{"\xff": 1}', b'{"port": 99999, "username": "u", "password": "p"}'):
        file.write_bytes(payload)
        fedloge("cloud", "start", started).refused(5, str(file), "remove the file")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", ["is no join file"]),
        (b"{", ["is no join file"]),
        (b"\xff\xfe", ["is no join file"]),
        (b'{"\xff": 1}', ["is no join file"]),
        (b"[" * 100_000, ["is no join file"]),
        (b'{"federation": "tiny"}', ["url is missing"]),
        (b'{"federation": "tiny", "url": 3}', ["url: expected `str`, got `int`"]),
        (b'{"federation": "tiny", "url": "mqtt://h", "pasword": "x"}', ["pasword is no known key", "password?"]),
        (b'{"federation": "a/b", "url": "mqtt://h"}', ["federation 'a/b' cannot be used"]),
    ],
)
def test_a_garbled_join_file_is_named(
    fedloge: Fedloge, agent: list[str | Path], join: Path, *, tmp_path: Path, payload: bytes, words: list[str]
) -> None:
    join.write_bytes(payload)
    fedloge(*agent).refused(3, *words)
    assert not (tmp_path / "state").exists()


def test_a_missing_join_file_says_where_it_comes_from(fedloge: Fedloge, agent: list[str | Path], join: Path) -> None:
    join.unlink()
    fedloge(*agent).refused(3, f"cannot read {join}: No such file", "fedloge cloud start")
