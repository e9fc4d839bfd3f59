"""New clients: nobody trained on their images, their starts are what they say, and a device computes the same."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from cloud.lab.clients import as_on_a_device
from cloud.lab.fleet import fleet_of
from cloud.lab.newcomers import NewcomersResult, choose_newcomers, run_newcomers, without
from cloud.lab.newcomers_table import newcomers_table
from cloud.lab.run import deal_for
from cloud.lab.setting import federation_of
from cloud.lab.starts import STARTS, Starting
from edge.catch_up import catch_up
from edge.personal import Personal
from edge.starting import never_selected
from shared.errors import SettingsError
from shared.features import features_of
from shared.heads import Head
from shared.metrics import accuracy
from tests.cloud.lab import runs
from tests.cloud.lab.runs import digits, silent, tiny
from tests.command_line.conftest import Fedloge, fedloge

__all__ = ["fedloge"]

CPU = torch.device("cpu")
SETTING = tiny(clients=5, alpha=1.0, rounds=1)


def test_who_is_new_is_a_draw_of_its_own() -> None:
    names = [f"c{number}" for number in range(20)]
    chosen = choose_newcomers(names, 0.25, seed=3)
    assert len(set(chosen)) == 5
    assert chosen == choose_newcomers(reversed(names), 0.25, seed=3), "the order of the names does not matter"
    assert {choose_newcomers(names, 0.25, seed=seed) for seed in range(20)} != {chosen}
    counts = [len(choose_newcomers(names, share, 0)) for share in (0.001, 0.1, 0.5, 0.95)]
    assert counts == [1, 2, 10, 19]
    with pytest.raises(SettingsError, match="leaves none to train"):
        choose_newcomers(names, 0.999, 0)


def test_the_others_keep_their_images_and_no_class_counts_those_of_the_new() -> None:
    shards = deal_for(SETTING, digits())
    fewer = without(shards, ("client-01", "client-03"))
    assert [client.client for client in fewer.clients] == ["client-00", "client-02", "client-04"]
    for client in fewer.clients:
        assert client is next(other for other in shards.clients if other.client == client.client)
    assert fewer.class_counts.tolist() == sum(c.train.class_counts() for c in fewer.clients).tolist()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def result() -> NewcomersResult:
    return run_newcomers(SETTING, digits(), 0.4, silent)


def test_new_clients_change_nothing_of_what_is_trained(result: NewcomersResult, tmp_path: Path) -> None:
    """The model is that of a federation in which they never were."""
    new = [client.client for client in result.clients if client.is_new]
    assert len(new) == 2
    shards = without(deal_for(SETTING, digits()), tuple(new))
    settings = federation_of(msgspec.structs.replace(SETTING, clients=3), digits(), tuple(shards.class_counts.tolist()))
    trained = runs.train(settings, shards, folder=tmp_path, evaluate_every=1, told=silent)
    assert trained.store.last_committed().blob == result.global_digest
    assert {row.client for row in trained.store.clients()}.isdisjoint(new)
    trained.store.close()


def test_the_table_is_the_mean_and_spread_of_its_clients(result: NewcomersResult) -> None:
    assert [row.start for row in result.rows] == list(STARTS)
    for row in result.rows:
        for spread, is_new in ((row.new, True), (row.trained, False)):
            values = [c.accuracy[row.start] for c in result.clients if c.is_new == is_new and c.num_images]
            assert spread is not None
            assert spread.clients == len(values)
            assert spread.mean == pytest.approx(sum(v or 0.0 for v in values) / len(values))
            assert spread.worst == min(v or 0.0 for v in values)
    table = newcomers_table(result)
    assert [column.header for column in table.columns] == ["start", "2 new", "worst", "3 trained", "worst"]
    assert table.row_count == len(STARTS)


def starting(method: str) -> Starting:
    """A tiny run's clients as if the last one had never trained."""
    trained = runs.trained(method)
    everybody = fleet_of(runs.shards_of(method), trained.fleet.settings, trained.fleet.etf)
    personal = {name: kept for name, kept in trained.seen.personal.items() if name != "client-02"}
    return Starting(
        everybody=everybody,
        trained=replace(trained.fleet, members=trained.fleet.members[:2]),
        seen=replace(trained.seen, personal=personal),
    )


def test_the_starts_of_a_new_client_are_what_its_device_would_compute() -> None:
    starts = starting("fedloge")
    fleet, model = starts.everybody, starts.seen.model
    member, dealt = fleet.members[2], runs.shards_of("fedloge").clients[2]
    train = as_on_a_device(dealt.train)
    found = starts.of(member, train)
    test = dealt.test.select((~dealt.is_new()).nonzero().flatten())
    features = features_of(model.backbone, test, fleet.settings.model, CPU)

    def score(head: Head) -> float:
        return accuracy(head.logits(features), test.labels)

    counts = member.counts.double() + fleet.settings.method.prior_smoothing
    prior = (counts / counts.sum()).log().float()
    assert found["generic"] == score(Head(weight=fleet.etf))
    assert found["prior"] == found["personal"] == score(Head(weight=fleet.etf, bias=prior))
    start = never_selected(model, etf=fleet.etf, settings=fleet.settings, client="client-02")
    for epochs in (1, 5, 20):
        adapted = catch_up(
            start, model, train, etf=fleet.etf, settings=fleet.settings, epochs=epochs, client="client-02", device=CPU
        )
        assert adapted.phi is not None
        assert found[f"adapted-{epochs}"] == score(adapted.phi)


def test_a_client_that_trained_starts_from_its_own_head() -> None:
    starts = starting("fedloge")
    member, dealt = starts.everybody.members[0], runs.shards_of("fedloge").clients[0]
    kept = starts.seen.personal["client-00"]
    own = starts.of(member, as_on_a_device(dealt.train))
    assert kept.phi is not None
    turned = Personal(phi=Head(weight=-50 * kept.phi.weight))
    other = replace(starts, seen=replace(starts.seen, personal={"client-00": turned}))
    found = other.of(member, as_on_a_device(dealt.train))
    assert own["generic"] == found["generic"]
    assert own["adapted-1"] != found["adapted-1"]


@pytest.mark.parametrize("method", ["ditto", "fedrep"])
def test_what_a_method_does_not_have_is_left_out_and_nothing_is_made_up(method: str) -> None:
    starts = starting(method)
    member, dealt = starts.everybody.members[2], runs.shards_of(method).clients[2]
    found = starts.of(member, as_on_a_device(dealt.train))
    adapted = [found[start] for start in STARTS if start.startswith("adapted")]
    if method == "ditto":
        assert starts.adapted_rule is None
        assert adapted == [None, None, None]
        assert found["personal"] == found["generic"], "its own model starts as everybody's"
    else:
        assert starts.adapted_rule == "phi"
        assert None not in adapted


def test_the_command_writes_what_it_prints(fedloge: Fedloge, tmp_path: Path) -> None:
    words = "lab newcomers --clients 3 --rounds 1 --local-epochs 1 --imbalance 100 --batch-size 32 --json"
    done = fedloge(*words.split(), "--method", "fedavg", "--out", tmp_path)
    assert done.code == 0, done.err
    data = done.envelope["data"]
    assert data == msgspec.json.decode((tmp_path / "newcomers.json").read_bytes())
    assert [row["start"] for row in data["rows"]] == list(STARTS)
    assert (data["adapted_rule"], data["rows"][2]["new"]) == (None, None)
