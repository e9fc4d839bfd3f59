"""Replays: a recorded federation gives its models again, also where a round closed without somebody."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from cloud.demo.client_folders import write_client_folders
from cloud.lab import federation as lab_federation
from cloud.lab import replay as replay_module
from cloud.lab.clients import LabWork
from cloud.lab.federation import train
from cloud.lab.recording import read_recording
from cloud.lab.setting import DEADLINE_SECONDS, federation_of
from cloud.lab.verdict import Verdict, replay_shown
from cloud.status import state_of
from cloud.store.sql import open_reader
from cloud.template import render
from edge.agent import Agent
from edge.journal import TrainedRound
from shared.data.pixels import to_pil
from shared.errors import DataError, FedlogeError, ReplayError, RoundError, StoreError, UsageError
from shared.etf import EtfReport
from shared.messages import Goodbye, TrainTask
from shared.settings import SharedSettings
from shared.tensors import decode, encode
from tests.cloud.lab.runs import digits, shards_of, silent, tiny
from tests.command_line.conftest import Fedloge, federation, fedloge, images, started

__all__ = ["federation", "fedloge", "images", "started"]

ROUNDS = 2


class Late(Agent):
    """An agent that trains the first round and is not heard of until it has closed."""

    def step(self, timeout_seconds: float) -> Goodbye | None:
        if self.work.journal.round(1) is not None and self.clock() < DEADLINE_SECONDS:
            return None
        return super(Late, self).step(timeout_seconds)  # noqa: UP008 - dataclasses with slots are made anew


class Refused(LabWork):
    """A device whose first update is spoilt on its way: it has trained, and its head has moved."""

    def train(self, task: TrainTask) -> TrainedRound:
        trained = super(Refused, self).train(task)  # noqa: UP008 - likewise
        if task.round > 1:
            return trained
        update = decode(self.blobs.get(trained.update_blob))
        spoilt = {name: tensor * torch.nan for name, tensor in update.items()}
        return replace(trained, update_blob=self.blobs.put(encode(spoilt)))


def recorded(folder: Path, method: str, kind: str, patch: pytest.MonkeyPatch) -> Path:
    """Run a federation whose last client's first update is not folded, and leave what a demo leaves in its folder."""
    seat = lab_federation.seat

    def seat_odd(dealt: object, **arguments: object) -> Agent:
        agent = seat(dealt, **arguments)  # type: ignore[arg-type]
        if agent.client != "client-02":
            return agent
        work, player = agent.work, Late if kind == "late" else Agent
        assert isinstance(work, LabWork)
        if kind == "refused":
            work = Refused(**{name: getattr(work, name) for name in WORK})
        return player(
            client=agent.client,
            exchange=agent.exchange,
            work=work,
            session="odd",
            patience_seconds=agent.patience_seconds,
            clock=agent.clock,
        )

    shards = shards_of(method)
    settings = federation_of(tiny(method=method, rounds=ROUNDS), digits(), tuple(shards.class_counts.tolist()))
    (folder / "federation.toml").write_text(render(settings))
    write_client_folders(shards.clients, folder / "data")
    with patch.context() as here:
        here.setattr(lab_federation, "seat", seat_odd)
        train(settings, shards, folder=folder, evaluate_every=ROUNDS, told=silent).store.close()
    return folder


WORK = ("client", "data_spec", "state", "journal", "blobs", "heads", "device", "dealt")

KINDS = (("fedloge", "late"), ("fedrep", "late"), ("fedrep", "refused"))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with pytest.MonkeyPatch.context() as patch:
        return {f"{m} {k}": recorded(tmp_path_factory.mktemp(f"{m}-{k}"), m, k, patch) for m, k in KINDS}


@pytest.fixture
def copy(records: dict[str, Path], tmp_path: Path) -> Path:
    """A recorded federation that a test may spoil."""
    return Path(shutil.copytree(records["fedloge late"], tmp_path / "copy"))


@pytest.mark.parametrize(
    ("name", "state"), [("fedloge late", "late"), ("fedrep late", "late"), ("fedrep refused", "rejected")]
)
def test_a_round_without_one_clients_update_replays_to_the_byte(
    records: dict[str, Path], name: str, state: str
) -> None:
    verdict = replay_shown(records[name], None)
    first = verdict.recording.rounds[0]
    assert [state_of(part) for part in first.participants] == ["accepted", "accepted", state]
    assert [row.same for row in verdict.rounds] == [True] * (ROUNDS + 1)
    assert [row.differing for row in verdict.rounds] == [()] * (ROUNDS + 1)
    assert [len(row.clients) for row in verdict.rounds] == [0, 2, 3]
    store = open_reader(verdict.recording.paths.database)
    assert verdict.plain()["global_digest"] == store.last_committed().blob
    store.close()


def test_an_update_that_leans_on_the_personal_head_needs_the_round_trained_in_vain(
    records: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim above would be empty if the refused client's training changed nothing."""
    monkeypatch.setattr(replay_module, "leans_on_personal", lambda _: False)
    odd = replay_shown(records["fedrep refused"], None).first_difference
    assert odd is not None
    assert (odd.round, odd.differing) == (2, ("client-02",))


def test_with_fedrep_a_client_never_heard_of_may_make_the_difference_and_is_named(records: dict[str, Path]) -> None:
    """Had the late update never come, nobody could know that its client trained."""

    def unheard_of(name: str) -> Verdict:
        recording = read_recording(records[name], None)
        first = recording.rounds[0]
        parts = tuple(replace(part, record=None) if part.client == "client-02" else part for part in first.participants)
        recording = replace(recording, rounds=(replace(first, participants=parts), *recording.rounds[1:]))
        return Verdict(recording=recording, rounds=replay_module.replay(recording, lambda *_: None))

    verdict = unheard_of("fedrep late")
    assert "round 2 differs" in verdict.words()
    assert "updates that differ: client-02" in verdict.words()
    assert "client-02 may have trained" in verdict.remedy()
    other = unheard_of("fedloge late")
    assert other.first_difference is None, "FedLoGe's updates do not lean on what a client keeps"
    assert "CUDA" in other.remedy()


def test_the_first_round_that_differs_is_named_with_whose_update_it_was(fedloge: Fedloge, copy: Path) -> None:
    image = min((copy / "data" / "client-01" / "train").rglob("*.png"))
    to_pil(torch.zeros(1, 8, 8, dtype=torch.uint8)).save(image)
    done = fedloge("lab", "replay", copy, "--json")
    assert done.code == ReplayError.exit_code
    assert done.envelope["status"] == "error"
    data = done.envelope["data"]
    assert (data["same"], data["first_difference"]) == (False, 1)
    assert [row["round"] for row in data["rounds"]] == [0, 1], "what follows a difference differs, too"
    assert data["rounds"][1]["differing"] == ["client-01"]
    (error,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "round 1 differs" in error
    assert "client-01" in error
    assert "Traceback" not in done.err


def test_what_a_replay_prints(fedloge: Fedloge, records: dict[str, Path]) -> None:
    done = fedloge("lab", "replay", records["fedloge late"])
    assert done.code == 0
    assert f"{ROUNDS} rounds replayed, the same global_digest" in done.out
    assert done.err.splitlines() == [f"round {number}/{ROUNDS}: the same" for number in range(1, ROUNDS + 1)]


def test_a_replay_writes_nothing(copy: Path) -> None:
    def seen() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in copy.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm"))}

    before = seen()
    replay_shown(copy / "federation.toml", copy / "data")
    assert seen() == before


def without_an_image(copy: Path) -> None:
    next((copy / "data" / "client-00" / "train").rglob("*.png")).unlink()


def without_a_client(copy: Path) -> None:
    shutil.rmtree(copy / "data" / "client-01")


def without_a_database(copy: Path) -> None:
    (copy / "coordinator" / "federation.sqlite").unlink()


def with_another_seed(copy: Path) -> None:
    file = copy / "federation.toml"
    text = file.read_text()
    assert "\nseed = 5\n" in text
    file.write_text(text.replace("\nseed = 5\n", "\nseed = 6\n"))


def with_another_name(copy: Path) -> None:
    file = copy / "federation.toml"
    file.write_text(file.read_text().replace('federation = "lab"', 'federation = "other"'))


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (without_an_image, DataError, "client-00 has"),
        (without_a_client, DataError, "client-01"),
        (without_a_database, StoreError, "database"),
        (with_another_seed, StoreError, "seed was 5, is 6"),
        (with_another_name, StoreError, "'other'"),
    ],
)
def test_what_is_not_the_recorded_federation_is_refused(
    copy: Path, spoil: object, error: type[FedlogeError], words: str
) -> None:
    assert callable(spoil)
    spoil(copy)
    with pytest.raises(error, match=words):
        replay_shown(copy, None)


def test_a_federation_file_alone_does_not_say_where_the_images_are(copy: Path) -> None:
    with pytest.raises(UsageError, match="images lie"):
        replay_shown(copy / "federation.toml", None)


def test_a_classifier_this_machine_builds_otherwise_is_taken_from_the_coordinators_folder(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = replay_module.frozen_classifier

    def otherwise(settings: SharedSettings) -> tuple[torch.Tensor, EtfReport]:
        etf, report = build(settings)
        return etf.nextafter(torch.tensor(torch.inf)), report

    monkeypatch.setattr(replay_module, "frozen_classifier", otherwise)
    verdict = replay_shown(copy, None)
    assert verdict.first_difference is None
    (copy / "coordinator" / "blobs" / verdict.recording.etf_blob).unlink()
    with pytest.raises(ReplayError, match=verdict.recording.etf_blob[:12]):
        replay_shown(copy, None)


def test_another_initial_model_is_round_0s_difference(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = replay_module.initial_model

    def otherwise(settings: SharedSettings) -> object:
        return build(msgspec.structs.replace(settings, seed=settings.seed + 1))

    monkeypatch.setattr(replay_module, "initial_model", otherwise)
    verdict = replay_shown(copy, None)
    assert verdict.first_difference is verdict.rounds[0]
    assert "the initial model differs" in verdict.words()


def test_nothing_committed_is_nothing_to_replay(fedloge: Fedloge, started: Path, images: Path) -> None:
    fedloge("lab", "replay", started, "--images", images).refused(RoundError.exit_code, "nothing to replay")
