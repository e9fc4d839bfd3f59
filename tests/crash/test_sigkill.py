"""Real processes, real SIGKILL: one death per kind of file, commit, rename and acknowledgement."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.versions import STAGED
from tests.brokers import Embedded
from tests.crash.killable import Killable
from tests.crash.mortal import Mortal
from tests.crash.outcome import outcome_of
from tests.crash.points import Point

IN_ROUNDS = [
    Point("coordinator", "sql.commit", "commit"),
    Point("coordinator", "sql.committed", "commit"),
    Point("coordinator", "file.written", "blobs"),
    Point("coordinator", "file.synced", "blobs"),
    Point("coordinator", "file.renamed", "generic.bundle.safetensors"),
    Point("coordinator", "sql.committed", "record_update"),
    Point("coordinator", "message.sent", "Receipt"),
    Point("coordinator", "chunk.written", "spool"),
    Point("coordinator", "file.renamed", "spool"),
    Point("coordinator", "file.discarded", "spool"),
    Point("ben", "chunk.written", "blobs"),
    Point("ben", "file.synced", "heads"),
    Point("ben", "file.renamed", "heads"),
    Point("ben", "journal.write", "record"),
    Point("ben", "journal.written", "record"),
    Point("ben", "message.sent", "UpdateOffer"),
    Point("ben", "chunk.send", "blob"),
]
"""A round is committed undisturbed before each."""

AT_THE_END = [
    Point("coordinator", "file.renamed", "generic.onnx"),
    Point("coordinator", "sql.commit", "record_artifact"),
    Point("ben", "file.renamed", "personal.bundle.safetensors"),
    Point("ben", "file.renamed", "personal.onnx"),
    Point("ben", "journal.written", "record_report"),
    Point("coordinator", "sql.committed", "record_report"),
]

ROUNDS = 20


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    broker = Embedded(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()


def test_a_kill_per_kind_of_file_commit_rename_and_acknowledgement(tmp_path: Path, broker: Embedded) -> None:
    script = IN_ROUNDS + AT_THE_END
    with Killable(
        tmp_path / "killed", broker.endpoint, rounds=ROUNDS, script=script, settle_until=len(IN_ROUNDS)
    ) as federation:
        federation.run()
        assert federation.deaths == len(script)
    with Mortal(tmp_path / "undisturbed", rounds=ROUNDS) as undisturbed:
        undisturbed.run()
        assert outcome_of(federation) == outcome_of(undisturbed)


def test_the_broker_killed_in_the_middle_of_transfers(tmp_path: Path, broker: Embedded) -> None:
    script = [
        Point("ben", "message.sent", "UpdateOffer"),
        Point("coordinator", "chunk.written", "spool"),
        Point("coordinator", "chunk.send", "blob"),
        Point("ben", "chunk.written", "blobs"),
    ]
    with Killable(
        tmp_path / "killed",
        broker.endpoint,
        rounds=6,
        script=script,
        settle_until=len(script),
        on_death=lambda _: broker.restart(),
    ) as federation:
        federation.run()
        assert federation.deaths == len(script)
    with Mortal(tmp_path / "undisturbed", rounds=6) as undisturbed:
        undisturbed.run()
        assert outcome_of(federation) == outcome_of(undisturbed)


def test_an_agent_killed_between_its_onnx_file_and_its_record_exports_the_same_bytes_again(
    tmp_path: Path, broker: Embedded
) -> None:
    files: list[bytes] = []
    with Killable(
        tmp_path,
        broker.endpoint,
        rounds=1,
        script=[Point("ben", "file.renamed", "personal.onnx")],
        settle_until=0,
        exporting={"ben"},
        on_death=lambda _: files.append(staged.read_bytes()),
    ) as federation:
        state = federation.state("ben")
        staged, personal = state / "models" / STAGED / "personal.onnx", state / "personal.onnx"
        federation.run()
        assert files == [personal.read_bytes()]
        assert (state / "personal.onnx.json").exists()
