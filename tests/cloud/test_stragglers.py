"""Over-selection, quorum and deadline: whom a round waits for, and what becomes of those it does not."""

import threading
from pathlib import Path

import pytest

from cloud.plan import RoundPlan
from cloud.planning import plan_round
from cloud.settings import ParticipationSettings
from cloud.status import round_detail, status
from shared.messages import Failure, FinishTask, Goodbye, Presence, Receipt, TrainTask
from tests.federation import tiny_settings
from tests.gate import behind
from tests.puppet import Puppet
from tests.simulation import Simulation, in_memory
from tests.tiny_clients import tiny_clients
from tests.waiting import wait_until


def planned(over_selection: float, fraction: float = 0.5) -> RoundPlan:
    return plan_round(
        round_number=3,
        base_blob="b" * 64,
        clients=[f"client-{number}" for number in range(10)],
        seed=1,
        fraction=fraction,
        quorum=0.5,
        deadline_seconds=9.0,
        over_selection=over_selection,
    )


def answer(puppet: Puppet, known: TrainTask | None = None) -> None:
    """Train the next round, or one that was heard of, in no time, and stay until the update is received."""
    task = known or puppet.hear(TrainTask)
    puppet.say(puppet.update(task, puppet.model(task)))
    puppet.hear(Receipt)


def test_further_clients_are_selected_and_not_counted() -> None:
    plain, further = planned(0.0), planned(0.3)
    assert set(plain.participants) < set(further.participants)
    assert len(further.participants) == 7  # 5, and 0.3 * 5 rounded up
    assert (further.wanted, further.quorum) == (5, plain.quorum)
    assert plain.wanted == 0


def test_where_nobody_is_left_to_select_a_round_waits_for_all() -> None:
    assert planned(1.0, fraction=1.0) == planned(0.0, fraction=1.0)


def test_a_round_closes_with_as_many_as_it_wanted_and_a_late_update_is_recorded_and_dropped(tmp_path: Path) -> None:
    gate = threading.Event()
    part = ParticipationSettings(clients=3, fraction=0.67, over_selection=0.5, quorum=1.0)
    settings = tiny_settings(rounds=1, broker=in_memory(), participation=part)
    with Simulation(tmp_path, settings, works={"cid": behind(gate)}) as federation:
        federation.start_coordinator()
        for client in federation.clients:
            federation.start_agent(client)
        wait_until(lambda: [row.state for row in federation.store.rounds()] == ["committed"], "round 1 is closed")
        (row,) = federation.store.rounds()
        assert (row.plan.wanted, len(row.participants)) == (2, 3)
        assert row.result is not None
        assert row.result.reason == "enough"
        assert federation.states(1) == {"ana": "accepted", "ben": "accepted", "cid": "missing"}
        detail = round_detail(federation.store, 1)
        assert detail is not None
        assert detail["clients"][2]["reason"].startswith("training: it was told to train")
        gate.set()
        digest = federation.finish()
    with Simulation(
        tmp_path / "two",
        tiny_settings(rounds=1, broker=in_memory(), participation=ParticipationSettings(clients=2)),
        clients=tiny_clients()[:2],
    ) as without:
        assert without.run_to_end() == digest  # the record of who was accepted decides the bytes, nothing else does


def test_an_update_that_comes_late_is_recorded_as_late(tmp_path: Path) -> None:
    part = ParticipationSettings(clients=2, quorum=0.5, round_deadline_seconds=3.0)
    with Simulation(tmp_path, tiny_settings(rounds=2, broker=in_memory(), participation=part)) as federation:
        federation.start_coordinator()
        quick, slow = Puppet(federation, "quick"), Puppet(federation, "slow")
        late = slow.update(task := slow.hear(TrainTask), slow.model(task))
        answer(quick)
        wait_until(lambda: federation.states(2) != {}, "round 1 closed at its deadline")
        following = slow.hear(TrainTask)
        slow.say(late)
        receipt = slow.hear(Receipt)
        assert (receipt.accepted, receipt.reason[:4]) == (False, "late")
        parts = {part.client: part for part in federation.store.round(1).participants}
        assert parts["slow"].record is not None
        assert parts["slow"].record.state == "late"
        answer(quick)
        answer(slow, following)
        for puppet in (quick, slow):
            puppet.leave()
        federation.finish()


def test_status_names_the_missing_piece_of_every_participant(tmp_path: Path) -> None:
    part = ParticipationSettings(clients=2, round_deadline_seconds=60.0)
    with Simulation(tmp_path, tiny_settings(rounds=1, broker=in_memory(), participation=part)) as federation:
        federation.start_coordinator()
        ana, ben = Puppet(federation, "ana"), Puppet(federation, "ben")
        task, _ = ana.hear(TrainTask), ben.hear(TrainTask)
        ana.say(offer := ana.update(task, ana.model(task)))

        def pieces() -> dict[str, str]:
            opened = status(federation.store)["open_round"]
            return {piece["client"]: piece["code"] for piece in opened["missing_pieces"]}

        wait_until(lambda: pieces() == {"ana": "transfer", "ben": "training"}, "both are waited for, by name")
        seen = status(federation.store)
        assert seen["reason"] == "updates"
        assert seen["waiting_until"] > federation.store.round(1).opened_at
        assert "quorum" in seen["then"]
        ben.say(Presence(client="ben", state="offline", session="ben"))
        wait_until(lambda: pieces()["ben"] == "offline", "ben is offline")
        ben.say(Presence(client="ben", state="ready", session="ben"))
        assert ana.hear(Receipt).blob == offer.payload.blob
        answer(ben)
        for puppet in (ana, ben):
            puppet.leave()
        federation.finish()


@pytest.mark.timeout(60)
def test_a_client_that_fails_for_good_at_the_end_is_not_waited_for_and_its_reason_is_told(tmp_path: Path) -> None:
    part = ParticipationSettings(clients=2, report_deadline_seconds=3600.0)
    with Simulation(tmp_path, tiny_settings(rounds=1, broker=in_memory(), participation=part)) as federation:
        federation.start_coordinator()
        ana, ben = Puppet(federation, "ana"), Puppet(federation, "ben")
        for puppet in (ana, ben):
            answer(puppet)
        ana.leave()
        task = ben.hear(FinishTask)
        ben.say(Failure(client="ben", round=task.round, reason="its model was refused"))
        ben.hear(Goodbye)
        ben.say(Presence(client="ben", state="offline", session="ben"))
        federation.finish()
        seen = status(federation.store)
        assert seen["state"] == "complete"
        assert seen["failures"] == {"ben": "its model was refused"}
        assert "no new model on ben" in seen["waiting_for"]
