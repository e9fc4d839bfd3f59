"""The commands write their reports beside the results, and say where they are."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from cloud.lab import one
from cloud.lab.cells import path_of
from cloud.lab.cli import app
from cloud.lab.setting import LabSetting
from cloud.result import Result
from tests.cloud.lab.sample_runs import lab_result
from tests.cloud.page import Page


def finished_runs(folder: Path) -> None:
    """Leave results as earlier runs of ``lab compare`` would have left them."""
    for method in ("fedloge", "fedavg"):
        setting = LabSetting(method=method, seed=0)
        result = lab_result(method, base=setting, rounds=setting.rounds)
        path_of(folder, setting).write_bytes(msgspec.json.encode(result))


def test_compare_writes_the_report_beside_the_runs_and_names_it(tmp_path: Path) -> None:
    finished_runs(tmp_path)
    options = ["--methods", "fedloge,fedavg", "--seeds", "2", "--table", "--out", str(tmp_path)]
    told = CliRunner().invoke(app, ["compare", *options])
    assert told.exit_code == 0
    assert f"report: {tmp_path / 'report.html'}" in told.stdout
    words = Page((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert "Not complete: 2 of 4 runs missing: fedloge (seed 1), fedavg (seed 1)." in words


def test_json_output_stays_one_envelope(tmp_path: Path) -> None:
    finished_runs(tmp_path)
    options = ["--methods", "fedloge,fedavg", "--seeds", "1", "--table", "--json", "--out", str(tmp_path)]
    told = CliRunner().invoke(app, ["compare", *options])
    assert msgspec.json.decode(told.stdout)["status"] == "ok"
    assert (tmp_path / "report.html").exists()


def test_run_writes_the_report_beside_the_result_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(setting: LabSetting, *_: object) -> Result:
        return lab_result(setting.method, base=setting)

    monkeypatch.setattr(one, "run", made_up)
    told = CliRunner().invoke(app, ["run", "--out", str(tmp_path)])
    assert told.exit_code == 0
    assert f"report: {tmp_path / 'report.html'}" in told.stdout
    assert "run" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections()
