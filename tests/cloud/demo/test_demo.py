import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.credentials import PASSWORD_VARIABLE, USERNAME_VARIABLE
from cloud.lab.run import run
from cloud.lab.setting import LabSetting
from cloud.lab.verdict import replay_shown
from cloud.result import from_json
from export.runtime import open_session
from shared.cli import INTERRUPTED
from shared.limits import PARENT_DEATH_SECONDS
from tests.brokers import Mosquitto
from tests.cloud.demo.processes import all_gone, finished_demo, long_demo
from tests.cloud.lab.runs import digits, silent
from tests.waiting import wait_until

LOADING = {"log": "client-01.log", "says": ""}
"""The last agent was just started and loads torch."""

TRAINING = {"log": "coordinator.log", "says": "round 1/500:"}
"""The first round is open."""


@pytest.fixture(scope="module")
def envelope(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One small demo over the embedded broker."""
    return finished_demo(tmp_path_factory.mktemp("first") / "demo")


def test_a_demo_prints_one_envelope_whose_data_is_its_result_file(envelope: dict[str, Any]) -> None:
    assert envelope.keys() == {"schema_version", "status", "data"}
    assert envelope["status"] == "ok"
    folder = Path(envelope["data"]["models"][0]["path"]).parent.parent
    assert json.loads((folder / "result.json").read_bytes()) == envelope["data"]
    result = from_json((folder / "result.json").read_bytes())
    assert [row.round for row in result.rounds] == [0, 1, 2]
    assert [client.client for client in result.pm.per_client] == ["client-00", "client-01"]
    assert result.bytes_up > 0
    assert result.bytes_down > 0
    assert (folder / "report.html").stat().st_size > 0


def test_every_model_of_a_demo_is_there_loads_and_verifies(envelope: dict[str, Any]) -> None:
    paths = [Path(model["path"]) for model in envelope["data"]["models"]]
    assert [model["kind"] for model in envelope["data"]["models"]] == ["generic", "personal", "personal"]
    for path in paths:
        assert open_session(path.read_bytes(), device="cpu").get_inputs()
    words = [sys.executable, "-m", "shared.cli", "export", "verify", *map(str, paths), "--json"]
    verified = subprocess.run(words, capture_output=True, check=False, timeout=120)
    assert verified.returncode == 0, verified.stderr
    files = json.loads(verified.stdout)["data"]["files"]
    assert [file["record"]["sha256"] for file in files] == [model["digest"] for model in envelope["data"]["models"]]
    assert all(file["checked"] == ["digest", "load", "parity"] for file in files)


def test_two_demos_with_one_seed_give_the_same_models(envelope: dict[str, Any], tmp_path: Path) -> None:
    again = finished_demo(tmp_path / "demo")
    assert again["data"]["global_digest"] == envelope["data"]["global_digest"]
    assert models_of(again) == models_of(envelope)
    assert again["data"]["pm"] == envelope["data"]["pm"]


def test_the_lab_gives_the_demos_model_and_figures_without_a_network(envelope: dict[str, Any]) -> None:
    asked = envelope["data"]["config"]
    setting = LabSetting(
        clients=asked["agents"],
        **{
            key: asked[key]
            for key in ("data", "imbalance", "alpha", "rounds", "local_epochs", "batch_size", "learning_rate", "seed")
        },
    )
    found = run(setting, digits(), silent)
    assert found.global_digest == envelope["data"]["global_digest"]
    assert found.gm is not None
    assert found.gm.accuracy == envelope["data"]["gm"]["accuracy"]
    for ours, theirs in zip(found.pm.per_client, envelope["data"]["pm"]["per_client"], strict=True):
        assert {**theirs, "alone": None} == json.loads(msgspec.json.encode(ours))


def test_a_demo_replays_from_its_folder(envelope: dict[str, Any]) -> None:
    folder = Path(envelope["data"]["models"][0]["path"]).parent.parent
    verdict = replay_shown(folder, None)
    assert verdict.first_difference is None
    assert verdict.plain()["global_digest"] == envelope["data"]["global_digest"]
    assert [row.clients for row in verdict.rounds] == [(), ("client-00", "client-01"), ("client-00", "client-01")]


@pytest.mark.broker
def test_a_demo_over_mosquitto_gives_the_same_models(
    envelope: dict[str, Any], mosquitto: Mosquitto, tmp_path: Path
) -> None:
    endpoint = mosquitto.endpoint
    environment = {USERNAME_VARIABLE: str(endpoint.username), PASSWORD_VARIABLE: str(endpoint.password)}
    again = finished_demo(tmp_path / "demo", "--broker", endpoint.url, environment=environment)
    assert (envelope["data"]["config"]["broker"], again["data"]["config"]["broker"]) == ("embedded", "external")
    assert again["data"]["global_digest"] == envelope["data"]["global_digest"]
    assert models_of(again) == models_of(envelope)


def test_ctrl_c_ends_a_demo_and_everything_it_started(tmp_path: Path) -> None:
    with long_demo(tmp_path / "demo", **TRAINING) as (demo, descendants):
        os.killpg(demo.pid, signal.SIGINT)  # what a terminal does
        assert demo.wait(60) == INTERRUPTED
        assert all_gone(descendants)
    assert (tmp_path / "demo.log").read_text().endswith("interrupted\n")


@pytest.mark.parametrize("moment", [LOADING, TRAINING])
def test_what_a_killed_demo_started_ends_in_time(tmp_path: Path, moment: dict[str, str]) -> None:
    with long_demo(tmp_path / "demo", **moment) as (demo, descendants):
        demo.kill()
        wait_until(lambda: all_gone(descendants), "all descendants end", seconds=PARENT_DEATH_SECONDS)


def models_of(envelope: dict[str, Any]) -> list[str]:
    return [model["digest"] for model in envelope["data"]["models"]]
