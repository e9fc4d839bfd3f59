"""Clients that answer a round with what must not be folded in; one honest client stays."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import torch

from cloud.settings import ParticipationSettings
from shared.messages import Failure, Receipt, TrainTask, UpdateOffer
from shared.settings import UpdateSettings
from shared.tensors import Tensors, encode
from tests.federation import tiny_settings
from tests.gate import behind
from tests.puppet import Puppet
from tests.simulation import Simulation, in_memory

MAX_EXAMPLES = 1000

Attack = Callable[[Puppet, TrainTask, Tensors], UpdateOffer]


def not_a_number(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    model["psi.weight"][3, 5] = torch.nan
    return puppet.update(task, model)


def infinite(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    model["psi.weight"][0, 0] = -torch.inf
    return puppet.update(task, model)


def wrong_shape(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    model["psi.weight"] = model["psi.weight"].T.contiguous()
    return puppet.update(task, model)


def wrong_dtype(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    model["psi.weight"] = model["psi.weight"].half()
    return puppet.update(task, encode(model))


def other_codec(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    offer = puppet.update(task, model)
    return msgspec.structs.replace(offer, payload=msgspec.structs.replace(offer.payload, codec="fp32+zstd"))


def tensor_missing(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    del model["psi.weight"]
    return puppet.update(task, model)


def tensor_added(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    return puppet.update(task, model | {"phi.weight": model["psi.weight"].clone()})


def no_tensors_at_all(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    del model
    return puppet.update(task, b"cos\nsystem\n(S'true'\ntR." * 9)


def frozen_classifier(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    del model
    return puppet.update(task, puppet.classifier())


def other_base(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    return msgspec.structs.replace(puppet.update(task, model), base="0" * 64)


def too_much_weight(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    return msgspec.structs.replace(puppet.update(task, model), num_examples=MAX_EXAMPLES + 1)


def too_large(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    return puppet.update(task, model | {"filling": torch.zeros(2 * task.model.size // 4)})


def wrong_round(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    return msgspec.structs.replace(puppet.update(task, model), round=task.round + 1)


def other_name(puppet: Puppet, task: TrainTask, model: Tensors) -> UpdateOffer:
    return msgspec.structs.replace(puppet.update(task, model), client="ana")


ON_THE_ROUND: dict[str, tuple[Attack, str]] = {
    "nan": (not_a_number, "not-finite: psi.weight holds NaN or infinity"),
    "inf": (infinite, "not-finite: psi.weight holds NaN or infinity"),
    "shape": (wrong_shape, "shape: psi.weight has shape (64, 10), the model has (10, 64)"),
    "dtype": (wrong_dtype, "dtype: psi.weight is torch.float16, the model has torch.float32"),
    "missing": (tensor_missing, "names: tensor names differ from the model's: ['psi.weight']"),
    "added": (tensor_added, "names: tensor names differ from the model's: ['phi.weight']"),
    "pickle": (no_tensors_at_all, "encoding: "),
    "etf": (frozen_classifier, "names: "),
    "base": (other_base, "wrong-base: trained from 000000000000"),
    "weight": (too_much_weight, "example-count: num_examples is 1001"),
    "codec": (other_codec, "codec: encoded as fp32+zstd, the federation's updates are safetensors"),
    "large": (too_large, "too-large: "),
}
"""Attacks by a selected client on the open round: each settles that client's part in it."""

BESIDE_THE_ROUND: dict[str, tuple[Attack, str]] = {
    "round": (wrong_round, "wrong-round: an update of round 2 in round 1"),
    "name": (other_name, "wrong-sender: an update of 'ana' came on the lane of 'name'"),
}
"""Offers that belong to no part of the round: the sender is still waited for."""


@dataclass
class Aftermath:
    simulation: Simulation
    digest: str
    receipts: dict[str, Receipt]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """Play every attack in one round, and let the one honest client answer last."""
    attacks = ON_THE_ROUND | BESIDE_THE_ROUND
    participation = ParticipationSettings(clients=1 + len(attacks), quorum=0.01, max_examples=MAX_EXAMPLES)
    settings = tiny_settings(rounds=1, broker=in_memory(), participation=participation)
    settings = msgspec.structs.replace(settings, update=UpdateSettings(compression="none"))
    gate = threading.Event()
    folder = tmp_path_factory.mktemp("hostile")
    with Simulation(folder, settings, works={"ana": behind(gate)}) as simulation:
        simulation.start_coordinator()
        simulation.start_agent("ana")
        puppets = {name: Puppet(simulation, name) for name in attacks}
        receipts = {}
        for name, puppet in puppets.items():
            task = puppet.hear(TrainTask)
            attack, _ = attacks[name]
            puppet.say(attack(puppet, task, puppet.model(task)))
            receipts[name] = puppet.hear(Receipt)
            if name in BESIDE_THE_ROUND:
                puppet.say(Failure(client=name, round=1, reason="gives up"))
        puppets["late"] = late = Puppet(simulation, "late")
        late.say(msgspec.structs.replace(late.update(task, b"anything"), client="late"))
        receipts["late"] = late.hear(Receipt)
        gate.set()
        for puppet in puppets.values():
            puppet.leave()
        yield Aftermath(simulation, simulation.finish(), receipts)


@pytest.mark.parametrize("name", ON_THE_ROUND)
def test_an_unfit_update_is_refused_and_recorded_with_its_reason(aftermath: Aftermath, name: str) -> None:
    _, reason = ON_THE_ROUND[name]
    row = aftermath.simulation.store.round(1)
    assert row is not None
    (part,) = [part for part in row.participants if part.client == name]
    assert part.state == "rejected"
    assert part.record is not None
    assert part.record.reason.startswith(reason)
    assert aftermath.receipts[name].accepted is False
    assert aftermath.receipts[name].reason.startswith(reason)


@pytest.mark.parametrize("name", BESIDE_THE_ROUND)
def test_an_offer_for_no_part_of_the_round_is_refused_and_changes_no_part_of_it(
    aftermath: Aftermath, name: str
) -> None:
    _, reason = BESIDE_THE_ROUND[name]
    refused = [words for client, _, words in aftermath.simulation.store.refusals() if client == name]
    assert len(refused) == 1
    assert refused[0].startswith(reason)
    assert aftermath.receipts[name].reason.startswith(reason)
    assert aftermath.simulation.states(1)[name] == "failed"


def test_an_update_of_a_client_that_was_not_selected_is_refused(aftermath: Aftermath) -> None:
    expected = "not-selected: late was not selected for round 1"
    assert ("late", 1, expected) in aftermath.simulation.store.refusals()
    assert aftermath.receipts["late"].reason == expected
    assert "late" not in aftermath.simulation.states(1)


def test_the_round_goes_on_and_its_model_is_the_honest_clients_alone(
    aftermath: Aftermath, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert aftermath.simulation.states(1)["ana"] == "accepted"
    settings = tiny_settings(rounds=1, broker=in_memory(), participation=ParticipationSettings(clients=1))
    with Simulation(tmp_path_factory.mktemp("honest"), settings) as honest:
        assert honest.run_to_end("ana") == aftermath.digest


def test_a_refused_offer_of_another_clients_update_does_not_remove_it(tmp_path: Path) -> None:
    settings = tiny_settings(rounds=1, broker=in_memory(), participation=ParticipationSettings(clients=2))
    with Simulation(tmp_path, settings) as simulation:
        simulation.start_coordinator()
        honest, thief = Puppet(simulation, "honest"), Puppet(simulation, "thief")
        task = honest.hear(TrainTask)
        honest.say(honest.update(task, honest.model(task)))
        assert honest.hear(Receipt).accepted
        thief.hear(TrainTask)
        thief.say(wrong_round(thief, task, thief.model(task)))
        assert not thief.hear(Receipt).accepted
        thief.say(Failure(client="thief", round=1, reason="gives up"))
        honest.leave()
        thief.leave()
        simulation.finish()
        assert simulation.states(1) == {"honest": "accepted", "thief": "failed"}


def test_refused_updates_are_not_kept(aftermath: Aftermath) -> None:
    last = aftermath.simulation.store.last_committed().blob
    federation = aftermath.simulation.store.federation()
    assert federation is not None
    kept = {path.name for path in aftermath.simulation.paths.blobs.iterdir()}
    assert list(aftermath.simulation.paths.spool.iterdir()) == []
    row = aftermath.simulation.store.round(1)
    assert row is not None
    assert kept == {last, federation.etf_blob, row.plan.base_blob}
