"""The report: complete, self-contained, harmless whatever the names, honest whatever the figures."""

import re

import pytest
from msgspec.structs import replace

from cloud.demo.report import render
from cloud.result import ClientResult, Result, RoundFigures, summarise_clients
from tests.cloud.demo.sample_result import large_result, sample_result
from tests.cloud.page import FETCHING, HOSTILE_NAMES, Page, check_it_fetches_and_runs_nothing

PICTURES = ["holdings", "learning", "clients", "classes", "traffic"]


@pytest.mark.parametrize("result", [sample_result(), large_result()], ids=["small", "large"])
def test_every_picture_client_and_class_is_there(result: Result) -> None:
    page = Page(render(result))
    assert page.sections() == [*PICTURES, "table", "models", "run"]
    assert page.count("svg", role="img") == 2 * len(PICTURES)
    cells = {text.strip() for text in page.texts}
    assert {client.client for client in result.pm.per_client} <= cells
    assert result.gm is not None
    assert {entry.name for entry in result.gm.per_class} <= cells
    assert {model.digest for model in result.models} <= cells
    assert result.global_digest in cells


def test_every_picture_is_described_for_those_who_do_not_see_it() -> None:
    page = Page(render(sample_result()))
    described = [attributes["aria-label"] or "" for tag, attributes in page.tags if tag == "svg"]
    assert all(len(text) > 40 for text in described)
    assert page.count("figcaption") == page.count("figure") == len(PICTURES)


@pytest.mark.parametrize("result", [sample_result(), large_result(), Result()], ids=["small", "large", "empty"])
def test_the_file_fetches_nothing_and_runs_nothing(result: Result) -> None:
    check_it_fetches_and_runs_nothing(render(result))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_shown_as_text(name: str) -> None:
    result = sample_result(num_clients=3, class_names=[name, "other"], num_rounds=8)
    clients = [replace(client, client=name + str(at)) for at, client in enumerate(result.pm.per_client)]
    rounds = tuple(replace(figures, missing=(name,)) for figures in result.rounds)
    models = tuple(replace(model, path=name, digest=name, client=name) for model in result.models)
    config = {name: name, "list": [name]}
    hostile = replace(
        result, pm=summarise_clients(clients), rounds=rounds, models=models, config=config, global_digest=name
    )
    harmless = render(sample_result(num_clients=3, class_names=["one", "other"], num_rounds=8))
    page = Page(render(hostile))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(harmless).tags}
    assert not any(FETCHING & attributes.keys() for _, attributes in page.tags)
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert name in page.words


def test_equal_results_give_equal_bytes() -> None:
    assert render(sample_result()) == render(sample_result())
    assert render(sample_result()) != render(sample_result(num_rounds=14))


def test_an_empty_result_still_makes_a_page_that_says_what_is_missing() -> None:
    page = Page(render(Result()))
    assert page.count("svg") == 0
    assert "measured no accuracy" in page.words
    assert "the coordinator had no labelled images" in page.words


def test_without_labelled_images_at_the_coordinator_the_rest_is_shown() -> None:
    page = Page(render(replace(sample_result(), gm=None)))
    assert page.sections() == ["holdings", "learning", "clients", "traffic", "table", "models", "run"]
    assert "accuracy per class: the coordinator had no labelled images" in page.words


def test_without_models_trained_alone_clients_are_held_against_the_generic_one() -> None:
    result = sample_result()
    clients = [replace(client, alone=None, class_counts=None) for client in result.pm.per_client]
    page = Page(render(replace(result, pm=summarise_clients(clients))))
    assert "The personal model beats the generic model on" in page.words
    assert "training alone" not in page.words
    assert "holdings" not in page.sections()


@pytest.mark.parametrize("num_clients", [2, 100])
@pytest.mark.parametrize("num_classes", [2, 120])
def test_few_and_many_clients_and_classes_fit(num_clients: int, num_classes: int) -> None:
    names = [f"a rather long class name {label}" for label in range(num_classes)]
    result = replace(sample_result(num_clients=max(3, num_clients), class_names=names, num_rounds=7), models=())
    result = replace(result, pm=summarise_clients(result.pm.per_client[:num_clients]))
    text = render(result)
    assert Page(text).sections()[:5] == PICTURES
    assert re.search(r'="[^"]*\b(nan|inf)\b[^"]*"', text) is None
    assert len(text) < 2_000_000


def test_one_round_and_one_measured_client_are_enough() -> None:
    rounds = (RoundFigures(round=1, gm=0.5, accepted=1, selected=2, missing=("b",), bytes_up=10, bytes_down=20),)
    clients = [ClientResult(client="a", num_images=4, personal=0.75), ClientResult(client="b", num_images=0)]
    page = Page(render(Result(rounds=rounds, pm=summarise_clients(clients))))
    assert page.sections() == ["learning", "clients", "traffic", "table", "run"]
    assert "Personal models are right 75.0% of the time" in page.words


def losing() -> Result:
    clients = [
        ClientResult(client="wins", num_images=10, alone=0.5, generic=0.6, personal=0.7),
        ClientResult(client="loses", num_images=10, alone=0.9, generic=0.9, personal=0.5),
    ]
    return Result(pm=summarise_clients(clients))


def test_a_personal_model_that_loses_is_said_to_lose() -> None:
    words = Page(render(losing())).words
    assert "Personal models are right 60.0% of the time: 10.0 points below training alone" in words
    assert "15.0 points below the generic model" in words
    assert "beats training alone on 1 of 2 clients and the generic model on 1 of 2 clients" in words
    assert "wins on 1 of 2 clients and loses on 1 (loses; worst -40.0 points)" in words


def test_a_file_whose_parity_does_not_hold_is_not_counted_as_verified() -> None:
    result = sample_result()
    first = result.models[0]
    assert first.parity is not None
    broken = replace(first, parity=replace(first.parity, max_abs_error=1.0))
    unproven = replace(result.models[1], parity=None)
    words = Page(render(replace(result, models=(broken, unproven, *result.models[2:])))).words
    assert "5 of 7 ONNX files compute what PyTorch computes" in words
    assert "fails" in words
    assert "not recorded" in words


def test_files_are_named_from_their_common_folder() -> None:
    result = sample_result()
    models = tuple(replace(model, path=f"/home/me/runs/demo/{model.path}") for model in result.models)
    page = Page(render(replace(result, models=models)))
    assert "Folder: /home/me/runs/demo" in page.words
    assert "client-03/personal.onnx" in {text.strip() for text in page.texts}


def test_classes_stand_from_head_to_tail_whatever_their_labels() -> None:
    result = sample_result(class_names=["most", "some", "least"])
    assert result.gm is not None
    shuffled = replace(result.gm, per_class=tuple(result.gm.per_class[label] for label in (2, 0, 1)))
    clients = [
        replace(client, class_counts=tuple((client.class_counts or ())[label] for label in (2, 0, 1)))
        for client in result.pm.per_client
    ]
    page = Page(render(replace(result, gm=shuffled, pm=summarise_clients(clients))))
    order = [text for text in page.texts if text in {"most", "some", "least"}]
    assert len(order) == 3 * 6  # along two pictures of two widths each, and in the tables behind them
    assert order == ["most", "some", "least"] * 6
    assert "142 training images of “most” and 14 of “least”" in page.words


def test_how_personal_heads_came_to_the_final_backbone_is_said_once_or_per_client() -> None:
    result = sample_result()
    assert "caught up from round 7" in Page(render(result)).texts
    same = [replace(client, head_note="trained in the last round") for client in result.pm.per_client]
    page = Page(render(replace(result, pm=summarise_clients(same))))
    assert "Every personal head: trained in the last round." in page.texts
    assert page.words.count("trained in the last round") == 1


def test_a_client_that_was_missing_is_named_with_its_round() -> None:
    words = Page(render(sample_result())).words
    assert "round 7: client-02 missing" in words
    assert "1 round closed without every client (client-02 missing)" in words
