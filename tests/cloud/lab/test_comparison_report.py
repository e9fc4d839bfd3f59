"""The report of a comparison: every method, what is missing, what is certain, and what stands in for what."""

import re

import pytest
from msgspec.structs import replace

from cloud.lab.report import render_comparison
from cloud.lab.setting import LabSetting
from shared.methods import RECIPES
from tests.cloud.lab.sample_runs import comparison
from tests.cloud.page import HOSTILE_NAMES, Page, check_it_fetches_and_runs_nothing

PICTURES = ["trade", "leads", "learning", "groups", "spread"]


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_every_method_is_in_every_picture_and_every_picture_is_described(seeds: int) -> None:
    text = render_comparison(comparison(seeds=seeds))
    page = Page(text)
    assert page.sections() == ["comparison", *PICTURES, "run"]
    described = [attributes["aria-label"] or "" for tag, attributes in page.tags if tag == "svg"]
    assert len(described) == 2 * len(PICTURES)
    assert all(len(words) > 40 for words in described)
    cells = {part.rstrip("†‡ =") for part in (text.strip() for text in page.texts)}
    assert set(RECIPES) <= cells
    assert re.search(r'="[^"]*\b(nan|inf)\b[^"]*"', text) is None
    assert len(text) < 1_000_000


def test_the_file_fetches_nothing_and_runs_nothing() -> None:
    check_it_fetches_and_runs_nothing(render_comparison(comparison()))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_shown_as_text(name: str) -> None:
    base = LabSetting(data=f"folder:{name}", backbone=name)
    page = Page(render_comparison(comparison(base=base)))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(render_comparison(comparison())).tags}
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert name in page.words


def test_equal_comparisons_give_equal_bytes() -> None:
    assert render_comparison(comparison()) == render_comparison(comparison())
    assert render_comparison(comparison()) != render_comparison(comparison(seeds=3))


def test_missing_runs_are_named_first_and_their_means_are_said_not_to_be_comparable() -> None:
    page = Page(render_comparison(comparison({"fedloge": {0: 0.0, 1: 0.0}, "fedavg": {1: 0.1}, "ditto": {}})))
    assert "Not complete: 3 of 6 runs missing: fedavg (seed 0), ditto (seed 0, 1)." in page.words
    assert "Means over different seeds are not comparable" in page.words
    cells = [text.strip() for text in page.texts]
    assert "1 of 2" in cells
    assert "0 of 2" in cells
    assert page.sections() == ["comparison", *PICTURES, "run"]


def test_a_complete_comparison_speaks_of_nothing_missing() -> None:
    assert "Not complete" not in Page(render_comparison(comparison())).words


def test_a_comparison_without_any_run_says_so() -> None:
    page = Page(render_comparison(comparison({"fedloge": {}, "fedavg": {}})))
    assert page.count("svg") == 0
    assert "A comparison without a finished run" in page.words
    assert "Not complete: 4 of 4 runs missing" in page.words


def test_one_method_needs_no_other() -> None:
    page = Page(render_comparison(comparison({"fedloge": {0: 0.0}}, seeds=1)))
    assert page.sections() == ["comparison", "trade", "learning", "groups", "spread", "run"]
    assert "leads with intervals: there is no pair of runs on one seed" in page.words


def test_a_lead_is_certain_only_where_its_interval_leaves_out_zero() -> None:
    steady = dict.fromkeys(range(5), 0.3)
    swaying = {seed: 0.3 * (-1) ** seed for seed in range(5)}
    ours = dict.fromkeys(range(5), 0.0)
    words = Page(render_comparison(comparison({"fedloge": ours, "fedavg": steady, "ditto": swaying}, seeds=5))).words
    assert "At 95%, fedloge's lead is certain over 1 of 2 methods in GM" in words


def test_one_seed_claims_no_interval() -> None:
    words = Page(render_comparison(comparison(seeds=1))).words
    assert "One seed says nothing about the spread, so there is no interval." in words
    assert "lead is certain over 0 of 9 methods in GM" in words


def test_a_first_method_that_loses_is_said_to_lose() -> None:
    page = Page(render_comparison(comparison({"fedloge": {0: 0.2, 1: 0.2}, "fedavg": {0: 0.0, 1: 0.0}})))
    assert "Highest mean GM: fedavg" in page.words
    assert "In mean GM, fedloge is behind fedavg." in page.words


def test_stand_ins_are_marked_wherever_their_figures_stand() -> None:
    page = Page(render_comparison(comparison()))
    assert "† no shared head: the n_k-weighted mean of the personal heads on the mean backbone (fedrep)." in page.words
    assert "‡ no personal part: the generic model on the local tests (fedavg)." in page.words
    assert "‡ no trained personal part: the client's own class frequencies (fedavg-prior)." in page.words
    cells = [text.strip() for text in page.texts]
    assert cells.count("fedrep †") == 1 + 2  # the generic table, the group bars in two widths
    assert cells.count("fedavg ‡") == 1 + 2  # the personal table, the strips in two widths


def test_that_a_method_without_personal_models_hurts_nobody_is_no_merit() -> None:
    text = render_comparison(comparison({"fedloge": {0: 0.0, 1: 0.0}, "fedavg": {0: 0.1, 1: 0.1}}))
    row = re.search(r"<td[^>]*>fedavg ‡</td>.*?</tr>", text)
    assert row is not None
    assert row.group().count(">-</td>") == 1


def test_methods_at_one_point_share_a_label_and_the_caption_says_so() -> None:
    runs = comparison({"fedloge": {0: 0.0}, "fedrod": {0: 0.0}}, seeds=1)
    twin = runs.runs["fedloge"][0]
    assert twin.lab is not None
    other = replace(twin, lab=replace(twin.lab, setting=replace(twin.lab.setting, method="fedrod")))
    from cloud.lab.comparison import Comparison
    from cloud.lab.summary import summarise

    both = {"fedloge": {0: twin}, "fedrod": {0: other}}
    same = Comparison(base=runs.base, runs=both, summaries=summarise(both, range(1)), missing=())
    page = Page(render_comparison(same))
    assert "fedloge and fedrod lie at the same point." in page.words
    assert [text for text in page.texts if text == "fedloge ="] == ["fedloge ="] * 2
