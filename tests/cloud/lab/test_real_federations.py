"""Methods in a real federation: processes over MQTT train what the lab trains, export it, and replay."""

import re
from pathlib import Path

import msgspec
import pytest

from cloud.lab.run import run
from cloud.lab.setting import LabSetting, federation_of
from cloud.lab.verdict import replay_shown
from cloud.result import Result
from cloud.settings import BrokerSettings, read_federation
from export.verify import verify
from shared.data import Splits
from shared.shards import deal
from tests.cloud.lab.runs import digits, silent, tiny
from tests.federation import Federation

METHODS = ("ditto", "fedrep")
"""One whose clients keep a backbone of their own, and one without a generic model."""

METHOD_TABLE = re.compile(r"^\[method\]\n.*?(?=^\[)", re.MULTILINE | re.DOTALL)


class Finished:
    """A federation of real processes that ran to its end, and what the lab makes of the same setting."""

    def __init__(self, folder: Path, method: str) -> None:
        self.setting = tiny(method=method, clients=2)
        self.federation = federation_in(folder, self.setting, digits())
        with self.federation as federation:
            federation.start()
            self.digest = federation.run_to_end()
            self.reports = federation.store.reports()
            self.artifacts = federation.store.artifacts()
        self.lab: Result = run(self.setting, digits(), silent)


def federation_in(folder: Path, setting: LabSetting, splits: Splits) -> Federation:
    """Deal the lab's images with the paper's tests, and write the file as a user would: the method by name alone."""
    shards = deal(
        splits,
        clients=["client-00", "client-01"],
        imbalance_factor=setting.imbalance,
        alpha=setting.alpha,
        seed=setting.seed,
    )
    settings = federation_of(setting, splits, tuple(shards.class_counts.tolist()))
    settings = msgspec.structs.replace(settings, broker=BrokerSettings())
    federation = Federation(folder, settings, clients=shards.clients)
    text, found = METHOD_TABLE.subn("", federation.file.read_text())
    assert found == 1
    federation.file.write_text(f'method = "{setting.method}"\n{text}')
    assert read_federation(federation.file) == settings
    return federation


@pytest.fixture(scope="module", params=METHODS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp(request.param), request.param)


def test_a_real_federation_trains_what_the_lab_trains(finished: Finished) -> None:
    assert finished.digest == finished.lab.global_digest
    measured = {client.client: client for client in finished.lab.pm.per_client}
    assert measured.keys() == {report.client for report in finished.reports}
    for report in finished.reports:
        assert report.figures.num_images == measured[report.client].num_images
        assert report.figures.personal == measured[report.client].personal
        assert report.head_note == measured[report.client].head_note
        if finished.setting.method == "ditto":
            assert report.figures.generic == measured[report.client].generic


def test_its_models_are_exported_and_verified(finished: Finished) -> None:
    generic = finished.federation.paths.generic_onnx
    assert generic.exists() == (finished.setting.method == "ditto"), "without a generic model there is no file of one"
    assert [kind for kind, *_ in finished.artifacts] == (["generic"] if generic.exists() else [])
    personal = [finished.federation.state(client) / "personal.onnx" for client in finished.federation.clients]
    for path in personal + [generic] * generic.exists():
        assert verify(path, images=lambda *_: None, bundle=None).checked


def test_it_replays_from_its_record(finished: Finished) -> None:
    verdict = replay_shown(finished.federation.file, finished.federation.folder / "images")
    assert verdict.first_difference is None
    assert [row.differing for row in verdict.rounds] == [(), (), ()]
    assert verdict.plain()["global_digest"] == finished.digest
