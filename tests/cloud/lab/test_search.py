"""The search for SGD's step: on validation images, the same for all; the runs that follow train with what it found."""

from pathlib import Path

import msgspec
import pytest

from cloud.lab.cells import path_of
from cloud.lab.compare import compare
from cloud.lab.search import Searched, Step, markdown, search, steps_of
from cloud.lab.setting import LabSetting
from shared.errors import UsageError
from tests.cloud.lab.sample_runs import lab_result

SLOW, FAST = Step(learning_rate=0.03, momentum=0.5), Step(learning_rate=0.03, momentum=0.9)
BASE = LabSetting(rounds=8)


def searched(
    out: Path, methods: list[str], *, only_table: bool = True, base: LabSetting = BASE
) -> tuple[Searched, ...]:
    return search(base, methods, (SLOW, FAST), out, workers=1, dask="", only_table=only_table)


def leave_result(out: Path, method: str, step: Step, shift: float) -> None:
    """Write a finished run of the search, whose GM is lowered by ``shift``."""
    setting = msgspec.structs.replace(
        BASE,
        method=method,
        rounds=4,
        measured_on="validation",
        learning_rate=step.learning_rate,
        momentum=step.momentum,
    )
    path = path_of(out / "search", setting)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(msgspec.json.encode(lab_result(method, seed=0, shift=shift, base=setting)))


def test_each_method_gets_the_step_that_was_best_on_validation_images(tmp_path: Path) -> None:
    for method, slow, fast in (("fedloge", 0.1, 0.0), ("fedavg", 0.0, 0.1)):
        leave_result(tmp_path, method, SLOW, slow)
        leave_result(tmp_path, method, FAST, fast)
    found = searched(tmp_path, ["fedloge", "fedavg"])
    assert [one.chosen for one in found] == [FAST, SLOW]
    comparison = compare(
        BASE,
        methods="fedloge,fedavg",
        seeds=range(1),
        out=tmp_path,
        workers=1,
        dask="",
        only_table=True,
        searched=found,
    )
    wanted = [msgspec.structs.replace(BASE, method="fedavg", momentum=0.5).key(), BASE.key()]
    assert sorted(comparison.missing) == sorted(wanted)
    told = comparison.plain()["search"]
    assert [(one["method"], one["chosen"]["momentum"], len(one["tried"])) for one in told] == [
        ("fedloge", 0.9, 2),
        ("fedavg", 0.5, 2),
    ]
    assert markdown(found).count("**") == 4
    assert "fedloge: rate 0.03, momentum 0.9, fedavg: rate 0.03, momentum 0.5" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "search.md").read_text() == markdown(found) + "\n"


def test_a_method_whose_search_is_not_finished_has_no_step_and_no_run(tmp_path: Path) -> None:
    leave_result(tmp_path, "fedloge", SLOW, 0.0)
    found = searched(tmp_path, ["fedloge"])
    assert found[0].chosen is None
    assert len(found[0].missing) == 1
    assert "missing" in markdown(found)
    comparison = compare(
        BASE, methods="fedloge", seeds=range(2), out=tmp_path, workers=1, dask="", only_table=True, searched=found
    )
    assert comparison.missing == found[0].missing
    assert comparison.runs == {"fedloge": {}}


def test_of_equals_the_first_is_taken(tmp_path: Path) -> None:
    leave_result(tmp_path, "fedloge", SLOW, 0.0)
    leave_result(tmp_path, "fedloge", FAST, 0.0)
    assert searched(tmp_path, ["fedloge"])[0].chosen == SLOW


def test_a_search_trains_half_of_the_rounds_and_reads_no_test_image(tmp_path: Path) -> None:
    base = LabSetting(rounds=2, clients=2, local_epochs=1)
    found = searched(tmp_path, ["fedavg"], only_table=False, base=base)
    settings = [
        result.lab.setting for result in found[0].tried.values() if result is not None and result.lab is not None
    ]
    assert [(s.rounds, s.measured_on, s.momentum) for s in settings] == [(1, "validation", 0.5), (1, "validation", 0.9)]
    assert found[0].chosen is not None


def test_steps_are_read_and_a_wrong_one_is_named() -> None:
    assert steps_of("0.03:0.5, 0.03:0.9,0.03:0.5") == (SLOW, FAST)
    assert steps_of("") == ()
    for wrong in ("0.03", "x:0.5", "0.03:1", "0:0.5", "0.03:-1", "nan:0.5", "0.03:0.5:1"):
        with pytest.raises(UsageError, match="RATE:MOMENTUM"):
            steps_of(wrong)
