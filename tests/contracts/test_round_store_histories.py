"""Whatever a coordinator records comes back in order and exactly as it was."""

import dataclasses
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.plan import RoundPlan
from cloud.store.rows import Evaluation, Participant, RoundResult, RoundRow, UpdateRecord
from shared.messages import ClientFigures, Groups
from tests.stores import CLIENTS, NOON, Database, model, started

accuracies = st.floats(0, 1)
maybe = st.none() | accuracies
counts = st.integers(0, 2**62)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
groups = st.builds(Groups, head=maybe, medium=maybe, tail=maybe)
figures = st.builds(
    ClientFigures,
    num_images=st.integers(0, 2**31 - 1),
    generic=maybe,
    personal=maybe,
    alone=maybe,
    generic_groups=st.none() | groups,
    personal_groups=st.none() | groups,
)
evaluations = st.builds(
    Evaluation,
    accuracy=accuracies,
    groups=st.dictionaries(st.sampled_from(["head", "medium", "tail"]), maybe),
    per_class=st.lists(maybe, max_size=4).map(tuple),
    rules=st.dictionaries(texts, accuracies, max_size=3),
)
moved = st.dictionaries(st.sampled_from(CLIENTS), counts.filter(lambda count: count < 2**50))
updates = st.builds(
    dict,
    state=st.sampled_from(["accepted", "rejected", "failed"]),
    reason=texts,
    blob=st.none() | st.just("b" * 64),
    num_examples=counts,
    size_bytes=counts,
    figures=st.none() | figures,
)


@st.composite
def rounds(draw: st.DrawFn, number: int) -> tuple[RoundPlan, list[UpdateRecord], list[UpdateRecord], RoundResult]:
    """One round: its plan, updates in time, updates that came late, its result."""
    chosen = draw(st.sets(st.sampled_from(CLIENTS), min_size=1))
    plan = RoundPlan(
        round_number=number,
        base_blob=model(number - 1),
        participants=tuple(sorted(chosen)),
        quorum=draw(st.integers(1, 3)),
        deadline_seconds=draw(st.floats(0.1, 1e6)),
    )
    order = draw(st.permutations(plan.participants))
    cut, end = draw(st.integers(0, len(order))), draw(st.integers(0, len(order)))
    in_time = [UpdateRecord(client=client, **draw(updates)) for client in order[:cut]]
    late = [UpdateRecord(client=client, **draw(updates)) for client in order[cut : max(cut, end)]]
    result = RoundResult(
        round_number=number,
        blob=model(number),
        reason=draw(st.sampled_from(["complete", "deadline"])),
        evaluation=draw(st.none() | evaluations),
        bytes_up=draw(moved),
        bytes_down=draw(moved),
        seconds=draw(st.floats(0, 1e9)),
    )
    return plan, in_time, late, result


def expected(plan: RoundPlan, in_time: list[UpdateRecord], late: list[UpdateRecord], result: RoundResult) -> RoundRow:
    parts: dict[str, Any] = {client: Participant(client=client, state="missing") for client in plan.participants}
    for record in in_time:
        parts[record.client] = Participant(client=record.client, state=record.state, record=record)  # type: ignore[arg-type]
    for record in late:
        record = dataclasses.replace(record, state="late")  # noqa: PLW2901
        parts[record.client] = Participant(client=record.client, state="missing", record=record)
    time = NOON.isoformat(timespec="milliseconds")
    return RoundRow(
        plan=plan,
        state="committed",
        participants=tuple(parts.values()),
        result=result,
        opened_at=time,
        closed_at=time,
        bytes_up=result.bytes_up,
        bytes_down=result.bytes_down,
    )


@given(history=st.integers(0, 3).flatmap(lambda length: st.tuples(*(rounds(n + 1) for n in range(length)))))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_history_comes_back_in_order_and_exactly(history: Any) -> None:
    store = Database("sqlite://").open()
    started(store)
    for plan, in_time, late, result in history:
        store.begin(plan)
        for record in in_time:
            assert store.record_update(plan.round_number, record) == record.state
        store.commit(result)
        for record in late:
            assert store.record_update(plan.round_number, record) == "late"
    assert store.rounds() == [expected(*parts) for parts in history]
    assert [store.round(row.plan.round_number) for row in store.rounds()] == store.rounds()
    federation = store.federation()
    assert federation is not None
    assert federation.bytes_up == sum(sum(result.bytes_up.values()) for *_, result in history)
    if history:
        assert store.last_committed() == history[-1][-1]
    store.close()
