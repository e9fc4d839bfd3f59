import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cloud.plan import RoundPlan
from cloud.planning import plan_round

CLIENTS = [f"client-{number:02d}" for number in range(20)]


def plan(
    clients: list[str], *, round_number: int = 1, seed: int = 0, fraction: float = 0.3, quorum: float = 0.5
) -> RoundPlan:
    return plan_round(
        round_number=round_number,
        base_blob="0" * 64,
        clients=clients,
        seed=seed,
        fraction=fraction,
        quorum=quorum,
        deadline_seconds=60.0,
    )


@given(st.permutations(CLIENTS), st.integers(1, 100))
def test_the_order_of_joining_does_not_change_a_plan(order: list[str], round_number: int) -> None:
    assert plan(order, round_number=round_number) == plan(CLIENTS, round_number=round_number)


@given(st.integers(1, 20), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_size_and_quorum_stay_within_bounds(count: int, fraction: float, quorum: float) -> None:
    made = plan(CLIENTS[:count], fraction=fraction, quorum=quorum)
    assert len(made.participants) == max(1, int(fraction * count))
    assert 1 <= made.quorum <= len(made.participants)
    assert list(made.participants) == sorted(set(made.participants))
    assert set(made.participants) <= set(CLIENTS[:count])


def test_rounds_and_seeds_draw_differently_and_everyone_is_drawn_in_time() -> None:
    draws = [plan(CLIENTS, round_number=number).participants for number in range(1, 41)]
    assert len(set(draws)) > 30
    assert {client for draw in draws for client in draw} == set(CLIENTS)
    assert plan(CLIENTS, seed=1).participants != plan(CLIENTS, seed=2).participants


def test_the_global_random_state_is_neither_read_nor_changed() -> None:
    torch.manual_seed(1)
    before, first = torch.get_rng_state(), plan(CLIENTS)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert plan(CLIENTS) == first


def test_a_round_without_clients_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one client"):
        plan([])
