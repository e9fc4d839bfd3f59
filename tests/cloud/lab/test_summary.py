"""Many runs as one table: paired leads, intervals, and cells that are missing."""

import csv
import io
import math

import pytest

from cloud.lab.compare import method_names
from cloud.lab.figures import LabFigures, PersonalRuleFigures
from cloud.lab.setting import LabSetting
from cloud.lab.summary import grid, mean_curve, summarise
from cloud.lab.tables import compare_table, difference, markdown, runs_csv, with_spread
from cloud.result import GenericResult, PersonalResult, Result, RoundFigures
from shared.errors import SettingsError
from shared.intervals import interval
from shared.methods import RECIPES


def result(method: str, seed: int, gm: float, pm: float, *, curve: tuple[float, ...] = ()) -> Result:
    rules = (
        PersonalRuleFigures(rule="etf+prior", mask="none", paper=pm, new_classes=pm - 0.1),
        PersonalRuleFigures(rule="etf+prior", mask="train-histogram", paper=pm, new_classes=0.0),
    )
    return Result(
        rounds=tuple(RoundFigures(round=number, gm=value) for number, value in enumerate(curve, 1)),
        gm=GenericResult(accuracy=gm, head=gm + 0.1, medium=None, tail=gm - 0.1),
        pm=PersonalResult(mean=pm, std=0.05, worst_decile=pm - 0.2),
        global_digest=f"{seed:064d}",
        seconds=1.0,
        lab=LabFigures(setting=LabSetting(method=method, seed=seed), title=method, personal_rules=rules),
    )


RUNS = {
    "fedloge": {0: result("fedloge", 0, 0.50, 0.80), 1: result("fedloge", 1, 0.60, 0.90)},
    "fedavg": {0: result("fedavg", 0, 0.41, 0.81), 1: result("fedavg", 1, 0.49, 0.89)},
    "ditto": {1: result("ditto", 1, 0.55, 0.70)},
    "fedrep": {},
}


def test_leads_are_paired_by_seed_and_the_first_method_has_none() -> None:
    first, fedavg, ditto, fedrep = summarise(RUNS, [0, 1])
    assert first.gm_lead is first.pm_lead is None
    assert fedavg.gm_lead is not None
    assert fedavg.gm_lead.mean == pytest.approx(0.10)
    # differences 0.09 and 0.11: s = 0.0141, t(0.975, 1) = 12.706
    half = 12.706 * math.sqrt(2) * 0.01 / math.sqrt(2)
    assert (fedavg.gm_lead.low, fedavg.gm_lead.high) == pytest.approx((0.10 - half, 0.10 + half), abs=1e-4)
    assert fedavg.pm_lead is not None
    assert fedavg.pm_lead.mean == pytest.approx(0.0)
    assert ditto.gm_lead is not None
    assert (ditto.gm_lead.mean, ditto.gm_lead.runs, ditto.gm_lead.low) == (pytest.approx(0.05), 1, None)
    assert fedrep.gm_lead is None


def test_missing_runs_are_named_and_a_figure_nobody_measured_is_left_out() -> None:
    summaries = {summary.method: summary for summary in summarise(RUNS, [0, 1])}
    assert [summaries[m].missing for m in RUNS] == [(), (), (0,), (0, 1)]
    assert summaries["fedrep"].figures == {}
    assert "gm_medium" not in summaries["fedloge"].figures
    assert summaries["fedloge"].figures["gm"].mean == pytest.approx(0.55)
    assert summaries["fedloge"].figures["pm_new"].mean == pytest.approx(0.75), "by the rule and mask in use"


def test_a_table_says_which_cells_are_missing() -> None:
    summaries = summarise(RUNS, [0, 1])
    rows = [line.split(" | ") for line in markdown(summaries).splitlines()]
    assert rows[2][:3] == ["| `fedloge`", "2", "55.0 ± 7.1"]
    assert rows[3][-2].startswith("+10.0 [-2.7, +22.7]")
    assert rows[4][1] == "1, missing 0"
    assert rows[5][1:3] == ["0, missing 0, 1", "-"]
    table = compare_table(summaries)
    assert table.row_count == 4
    assert "points behind fedloge" in str(table.caption)


def test_one_run_has_neither_spread_nor_interval_in_a_table() -> None:
    one = interval([0.123])
    assert (with_spread(one), difference(one)) == ("12.3", "+12.3")
    assert (with_spread(None), difference(None)) == ("-", "")


def test_a_line_of_the_spreadsheet_is_a_run() -> None:
    rows = list(csv.DictReader(io.StringIO(runs_csv([RUNS["ditto"][1], RUNS["fedloge"][0]]))))
    assert [(row["method"], row["seed"], float(row["gm"])) for row in rows] == [
        ("ditto", "1", 0.55),
        ("fedloge", "0", 0.5),
    ]
    assert rows[0]["gm_medium"] == "", "not measured is not zero"


def test_a_learning_curve_is_the_mean_over_the_seeds_that_have_the_round() -> None:
    by_seed = {0: result("x", 0, 0.5, 0.5, curve=(0.1, 0.3)), 1: result("x", 1, 0.5, 0.5, curve=(0.3,))}
    assert mean_curve(by_seed, "gm") == [(1, pytest.approx(0.2)), (2, pytest.approx(0.3))]
    assert mean_curve(by_seed, "pm_mean") == []


def test_a_grid_differs_in_method_and_seed_alone() -> None:
    base = LabSetting(rounds=3)
    cells = grid(dict.fromkeys(["fedloge", "ditto"], base), range(2))
    assert [(m, s, c.method, c.seed, c.rounds) for m, by_seed in cells.items() for s, c in by_seed.items()] == [
        (method, seed, method, seed, 3) for method in ("fedloge", "ditto") for seed in (0, 1)
    ]


def test_all_methods_are_all_and_a_name_that_is_none_is_refused() -> None:
    assert sorted(method_names("all")) == sorted(RECIPES)
    assert method_names("all")[0] == "fedloge"
    assert method_names(" ditto, fedavg ,ditto") == ["ditto", "fedavg"]
    for wrong in ("fedlog", ",", ""):
        with pytest.raises(SettingsError):
            method_names(wrong)
