import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from edge.candidate import open_candidates
from edge.journal import Journal
from edge.journal_schema import SCHEMA_VERSION, STEPS
from edge.model_history import ModelHistory, ModelVersion
from edge.shadow import shadow
from edge.versions import BUNDLE, FILES, ONNX, Versions
from shared.errors import GateRefusedError, RoundError, StoreError, VerificationError
from tests.edge.fake_models import long_tailed, write_fake

GOOD = (0, 1, 2, 3)
NO_TAIL = (0, 1, 2, 0)
WEAK = (0, 0, 0, 3)
DATA = long_tailed()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "agent.sqlite")
    yield journal
    journal.close()


def put(state: Path, journal: Journal, answers: tuple[int, ...], *, salt: str = "", number: int = 1) -> ModelVersion:
    with open_candidates(state, journal) as candidates:
        return candidates.put_forward(
            lambda folder: write_fake(folder, answers, salt=salt, round_number=number), data=DATA, origin="finish"
        )


def states(journal: Journal) -> list[tuple[int, str, str]]:
    return [(row.version, row.event, row.state) for row in ModelHistory(journal).decisions()]


def test_the_first_model_serves_under_the_names_that_never_change(tmp_path: Path, journal: Journal) -> None:
    made = put(tmp_path, journal, WEAK)
    assert (made.version, made.round, made.kind) == (1, 1, "personal")
    assert made.accuracy == 15 / 22
    assert Versions(tmp_path).current() == 1
    for name in FILES:
        assert (tmp_path / name).resolve() == (tmp_path / "models" / "1" / name).resolve()
    assert shadow(tmp_path / ONNX, DATA.held_out).tolist() == [WEAK[kind] for kind in DATA.held_out.labels]


def test_a_better_model_takes_over_and_the_one_before_is_kept(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, WEAK)
    put(tmp_path, journal, GOOD)
    assert Versions(tmp_path).kept() == [1, 2]
    put(tmp_path, journal, GOOD, salt="again")
    assert Versions(tmp_path).kept() == [2, 3]
    assert Versions(tmp_path).current() == 3


def test_the_gate_refuses_what_loses_the_tail_and_nothing_changes(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, GOOD)
    before = (tmp_path / ONNX).read_bytes()
    with pytest.raises(GateRefusedError, match=r"worse in the tail|worse overall") as error:
        put(tmp_path, journal, NO_TAIL)
    assert error.value.exit_code == 8
    assert "version 1 serves" in error.value.remedy
    assert (tmp_path / ONNX).read_bytes() == before
    assert Versions(tmp_path).kept() == [1]
    assert states(journal) == [(1, "activate", "done"), (2, "activate", "refused")]
    verdict = ModelHistory(journal).decisions()[1].verdict
    assert verdict is not None
    assert verdict.tail is not None
    assert (verdict.tail.serving, verdict.tail.candidate) == (3, 0)


def test_a_first_model_is_compared_with_what_would_serve_without_it(tmp_path: Path, journal: Journal) -> None:
    with open_candidates(tmp_path, journal) as candidates, pytest.raises(GateRefusedError):
        candidates.put_forward(
            lambda folder: write_fake(folder, WEAK), data=DATA, origin="finish", baseline=DATA.held_out.labels
        )
    assert Versions(tmp_path).current() is None
    assert not (tmp_path / ONNX).exists()


def test_the_same_bytes_again_make_no_new_version(tmp_path: Path, journal: Journal) -> None:
    first = put(tmp_path, journal, GOOD)
    assert put(tmp_path, journal, GOOD) == first
    assert states(journal) == [(1, "activate", "done")]


def test_rollback_goes_one_version_back_and_further_only_by_name(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, WEAK)
    put(tmp_path, journal, GOOD)
    with open_candidates(tmp_path, journal) as candidates:
        assert candidates.rollback().version == 1
    assert shadow(tmp_path / ONNX, DATA.held_out).tolist() == [WEAK[kind] for kind in DATA.held_out.labels]
    with open_candidates(tmp_path, journal) as candidates:
        with pytest.raises(RoundError) as error:
            candidates.rollback()
        assert error.value.remedy == "choose one that is kept with --to: 2"
        assert candidates.rollback(2).version == 2
        with pytest.raises(RoundError, match="version 7 cannot take its place"):
            candidates.rollback(7)
    assert states(journal)[2:] == [(1, "rollback", "done"), (2, "rollback", "done")]


def test_rollback_refuses_a_version_that_was_changed_on_disk(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, WEAK)
    put(tmp_path, journal, GOOD)
    with (Versions(tmp_path).folder(1) / ONNX).open("ab") as file:
        file.write(b"x")
    with open_candidates(tmp_path, journal) as candidates, pytest.raises(VerificationError, match="was changed"):
        candidates.rollback()
    assert Versions(tmp_path).current() == 2


def test_without_a_model_there_is_nothing_to_roll_back(tmp_path: Path, journal: Journal) -> None:
    with open_candidates(tmp_path, journal) as candidates, pytest.raises(RoundError, match="no model serves yet"):
        candidates.rollback()


def test_a_damaged_model_is_replaced_without_a_comparison(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, GOOD)
    (Versions(tmp_path).folder(1) / ONNX).write_bytes(b"junk")
    assert put(tmp_path, journal, WEAK).version == 2


def test_a_model_from_before_versions_were_kept_becomes_version_1(tmp_path: Path, journal: Journal) -> None:
    write_fake(tmp_path, GOOD, round_number=4)
    before = (tmp_path / ONNX).read_bytes()
    with open_candidates(tmp_path, journal) as candidates:
        serving = candidates.serving()
    assert serving is not None
    assert (serving.version, serving.round, serving.origin) == (1, 4, "found")
    assert (tmp_path / ONNX).is_symlink()
    assert (tmp_path / ONNX).read_bytes() == before
    with pytest.raises(GateRefusedError):
        put(tmp_path, journal, WEAK)


def test_a_lost_journal_takes_in_the_model_that_serves(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, WEAK)
    put(tmp_path, journal, GOOD)
    anew = Journal(tmp_path / "anew.sqlite")
    with open_candidates(tmp_path, anew) as candidates:
        serving = candidates.serving()
    assert serving is not None
    assert (serving.version, serving.origin) == (2, "found")
    assert put(tmp_path, anew, GOOD, salt="next").version == 3
    anew.close()


def test_a_file_exported_by_hand_over_the_name_is_no_version(tmp_path: Path, journal: Journal) -> None:
    put(tmp_path, journal, GOOD)
    (tmp_path / BUNDLE).unlink()
    (tmp_path / BUNDLE).write_bytes(b"by hand")
    with open_candidates(tmp_path, journal):
        pass
    assert (tmp_path / BUNDLE).read_bytes() == b"source "


def test_a_journal_of_every_earlier_schema_is_upgraded_and_keeps_its_rounds(tmp_path: Path) -> None:
    for version in range(1, SCHEMA_VERSION):
        path = tmp_path / f"{version}.sqlite"
        with sqlite3.connect(path) as old:
            for step in STEPS[:version]:
                old.executescript(step)
            old.execute("INSERT INTO identity VALUES ('ana', 'tiny')")
            old.execute("INSERT INTO rounds VALUES (1, 'm', 'u', 9, '{}', 'p', 'accepted')")
            old.execute("INSERT INTO reports VALUES (1, 'm', '{\"old\": 1}')")
            old.execute(f"PRAGMA user_version = {version}")
        old.close()
        journal = Journal(path)
        assert journal.identify(None, "tiny") == "ana"
        assert journal.rounds_trained() == 1
        assert journal.report("m") == '{"old": 1}'
        assert ModelHistory(journal).versions() == []
        journal.close()
        Journal(path).close()  # and once only


def test_an_upgrade_that_fails_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(STEPS[0])
        old.execute("PRAGMA user_version = 1")
    old.close()
    monkeypatch.setattr("edge.journal.STEPS", (STEPS[0], f"{STEPS[1]} CREATE TABLE rounds (x);"))
    with pytest.raises(StoreError, match="cannot use the journal"):
        Journal(path)
    with sqlite3.connect(path) as left:
        assert left.execute("PRAGMA user_version").fetchone() == (1,)
        assert not left.execute("SELECT 1 FROM sqlite_master WHERE name = 'models'").fetchall()
    left.close()


def test_the_shadow_run_of_no_image_answers_nothing(tmp_path: Path) -> None:
    write_fake(tmp_path, GOOD)
    assert shadow(tmp_path / ONNX, DATA.held_out.select(torch.zeros(0, dtype=torch.int64))).shape == (0,)
