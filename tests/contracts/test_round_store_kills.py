"""A SIGKILL at any instant: what a method did is there whole or not at all, and whole once it returned."""

import os
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event

from cloud.store.contract import RoundStore
from tests.killed import kill_myself, run_and_kill
from tests.stores import (
    CLIENTS,
    Database,
    accepted,
    current,
    everything,
    failure,
    model,
    one_committed,
    one_open,
    plan,
    report,
    result,
    start,
    started,
)

Step = Callable[[RoundStore], object]


def nothing(store: RoundStore) -> None:
    del store


WRITES: dict[str, tuple[Step, Step]] = {
    "start": (nothing, start),
    "resume": (started, start),
    "set_state": (started, lambda store: store.set_state("training", "updates")),
    "client_seen": (started, lambda store: store.client_seen("dora", online=True)),
    "begin": (one_committed, lambda store: store.begin(plan(2))),
    "record_update": (one_open, lambda store: store.record_update(2, accepted("ben"))),
    "record_late": (one_committed, lambda store: store.record_update(1, accepted("ben"))),
    "record_refusal": (started, lambda store: store.record_refusal("zoe", round_number=9, reason="wrong-round")),
    "commit": (one_open, lambda store: store.commit(result(2))),
    "record_report": (one_committed, lambda store: store.record_report(report("anna"))),
    "record_failure": (one_committed, lambda store: store.record_failure(failure("anna"))),
    "record_report_after_failure": (
        lambda store: (one_committed(store), store.record_failure(failure("anna"))),
        lambda store: store.record_report(report("anna")),
    ),
    "record_model": (one_committed, lambda store: store.record_model("anna", current())),
    "add_bytes": (started, lambda store: store.add_bytes(0, up={"anna": 1}, down={"anna": 2})),
    "record_artifact": (
        one_committed,
        lambda store: store.record_artifact(kind="generic-onnx", path="/g", digest="1" * 64, round_number=1),
    ),
}
"""Each writing method: what precedes it, and the call."""


def prepared(database: Database, step: Step) -> dict[str, object]:
    store = database.open()
    step(store)
    seen = everything(store)
    store.close()  # a connection must not cross a fork
    return seen


def seen_after(database: Database) -> dict[str, object]:
    store = database.open()
    seen = everything(store)
    store.close()
    return seen


@pytest.mark.parametrize(("before", "write"), WRITES.values(), ids=WRITES)
def test_killed_before_its_commit_a_method_leaves_no_trace(
    durable_database: Database, before: Step, write: Step
) -> None:
    untouched = prepared(durable_database, before)

    def work() -> None:
        store = durable_database.open()
        event.listen(Engine, "commit", kill_myself)
        write(store)

    run_and_kill(work)
    assert seen_after(durable_database) == untouched


@pytest.mark.parametrize(("before", "write"), WRITES.values(), ids=WRITES)
def test_killed_after_its_return_a_method_has_done_all_of_its_work(
    durable_database: Database, other_database: Database, before: Step, write: Step
) -> None:
    untouched = prepared(durable_database, before)
    run_and_kill(lambda: write(durable_database.open()))
    prepared(other_database, lambda store: (before(store), write(store)))
    after = seen_after(durable_database)
    assert after == seen_after(other_database)
    assert after != untouched


def test_killed_at_any_statement_of_a_commit_the_round_is_still_open(durable_database: Database) -> None:
    untouched = prepared(durable_database, one_open)

    def die_at(statement: int) -> None:
        store = durable_database.open()
        seen = iter(range(statement))

        def count(*_: object) -> None:
            if next(seen, None) is None:
                kill_myself()

        event.listen(Engine, "after_cursor_execute", count)
        store.commit(result(2))
        os._exit(4)  # the commit has fewer statements than that

    for statement in range(6):  # begin, two look-ups, two updates, evaluation, traffic: some are sent together
        run_and_kill(lambda statement=statement: die_at(statement))
        assert seen_after(durable_database) == untouched


def test_a_coordinator_that_is_killed_between_any_two_steps_resumes_and_ends_the_same(
    durable_database: Database, other_database: Database
) -> None:
    steps: list[Step] = [start]
    for number in (1, 2):
        if number == 1:
            steps += [lambda store, client=client: store.client_seen(client, online=True) for client in CLIENTS]
        steps.append(lambda store, number=number: store.begin(plan(number)))
        steps += [
            lambda store, client=client, number=number: store.record_update(number, accepted(client))
            for client in CLIENTS[:2]
        ]
        steps.append(lambda store, number=number: store.commit(result(number)))
    for step in steps:
        run_and_kill(lambda step=step: step(durable_database.open()))
    prepared(other_database, lambda store: [step(store) for step in steps])
    assert seen_after(durable_database) == seen_after(other_database)


def test_repeating_what_was_acknowledged_before_the_kill_applies_nothing_twice(durable_database: Database) -> None:
    prepared(durable_database, one_open)
    run_and_kill(lambda: durable_database.open().record_update(2, accepted("ben", num_examples=3)))
    before = seen_after(durable_database)
    store = durable_database.open()
    assert store.record_update(2, accepted("ben", num_examples=999)) == "accepted"
    store.close()
    assert seen_after(durable_database) == before
    assert before["initial"].blob == model(1)  # type: ignore[attr-defined]
