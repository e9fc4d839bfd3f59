"""What only real processes show: locks between them, refusals right after connecting, and ends by a signal."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.settings import ParticipationSettings
from cloud.store.lock import coordinator_runs
from tests.command_line.conftest import Fedloge, Outcome, tree, write_image
from tests.federation import Federation, tiny_settings


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Federation]:
    """A federation whose coordinator runs and waits for more clients than will ever come."""
    settings = tiny_settings(participation=ParticipationSettings(clients=99))
    with Federation(tmp_path, settings) as federation:
        federation.start_coordinator()
        yield federation


def test_one_coordinator_per_database_and_one_agent_per_folder(fedloge: Fedloge, waiting: Federation) -> None:
    done = fedloge("cloud", "start", waiting.file, "--json")
    done.refused(6, "another coordinator is running on database", "federation.sqlite", "fedloge cloud status")
    assert waiting.processes["coordinator"].poll() is None

    client = waiting.clients[0]
    waiting.start_agent(client)
    waiting.until(lambda: "training and" in waiting.said(client), "the agent was welcomed")
    agent: list[str | Path] = ["edge", "run", "--join", waiting.paths.join_file, "--state", waiting.state(client)]
    second = fedloge(*agent, "--data", f"folder:{waiting.images[client]}", "--json")
    second.refused(6, f"another agent works in {waiting.state(client)}", "--state")

    status = fedloge("cloud", "status", "--file", waiting.file, "--json").envelope["data"]
    assert status["coordinator_running"] is True
    assert status["clients_online"] == 1

    for name in (client, "coordinator"):  # Ctrl-C ends both with a word, and with their locks open
        waiting.signal(name, signal.SIGINT)
        assert waiting.wait(name) == 130, waiting.said(name)
        assert waiting.said(name).endswith("interrupted\n")
        assert "Traceback" not in waiting.said(name)
    assert not coordinator_runs(waiting.paths.database, waiting.paths.folder)
    fedloge(*agent, "--data", f"folder:{waiting.images[client]}").refused(5, "no broker at")  # not "another agent"
    status = fedloge("cloud", "status", "--file", waiting.file, "--json").envelope["data"]
    assert status["coordinator_running"] is False


def test_images_that_do_not_fit_the_federation_end_the_agent_and_not_the_coordinator(
    fedloge: Fedloge, waiting: Federation, tmp_path: Path
) -> None:
    write_image(tmp_path / "zoo" / "zebra" / "0.png")
    spoiled = tmp_path / "spoiled" / tiny_settings().class_names[0] / "0.png"
    write_image(spoiled)
    spoiled.write_bytes(spoiled.read_bytes()[:40])
    join, state = waiting.paths.join_file, tmp_path / "state"

    def run(folder: Path) -> Outcome:
        return fedloge("edge", "run", "--join", join, "--data", f"folder:{folder}", "--state", state, "--json")

    run(tmp_path / "zoo").refused(4, "'zebra', which the federation does not know", "rename")
    run(tmp_path / "spoiled").refused(4, str(spoiled))
    assert waiting.processes["coordinator"].poll() is None
    clients = fedloge("cloud", "agents", "--file", waiting.file, "--json").envelope["data"]["clients"]
    assert clients == [], "no round waits for a client whose images do not fit"

    waiting.signal("coordinator", signal.SIGTERM)
    assert waiting.wait("coordinator") == 143, waiting.said("coordinator")
    assert waiting.said("coordinator").endswith("ended by SIGTERM\n")
    assert "Traceback" not in waiting.said("coordinator")
    assert not coordinator_runs(waiting.paths.database, waiting.paths.folder)


def test_a_demo_whose_coordinator_is_at_work_keeps_its_folder(fedloge: Fedloge, waiting: Federation) -> None:
    (waiting.folder / ".fedloge-demo").write_text("")
    before = tree(waiting.folder / "images")
    done = fedloge("demo", "--out", waiting.folder, "--json")
    done.refused(6, f"a demo is running in {waiting.folder}", "--out")
    assert tree(waiting.folder / "images") == before
    assert waiting.processes["coordinator"].poll() is None


def test_a_demo_tells_what_its_coordinator_died_of(fedloge: Fedloge, tmp_path: Path) -> None:
    demo: list[str | Path] = ["demo", "--agents", "1", "--rounds", "1", "--out", tmp_path / "demo"]
    done = fedloge(*demo, "--broker", "mqtt://127.0.0.1:1", "--json")
    done.refused(5, "coordinator: no broker at 127.0.0.1:1: Connection refused", "check the URL")
