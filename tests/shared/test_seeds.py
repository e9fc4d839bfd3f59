"""Seeds: every purpose its own stream, and the global state as it was."""

import torch

from shared.seeds import derive_seed, generator, seeded
from tests.shared.draws import global_random_state_untouched


def test_purposes_rounds_and_types_are_told_apart() -> None:
    seeds = {derive_seed(*parts) for parts in [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, "a", "1"), (0, 1, "a")]}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_for_ever() -> None:
    assert derive_seed(0, "order", 3, "agent-1") == 3058164582416712064


def test_generators_of_one_purpose_agree() -> None:
    with global_random_state_untouched():
        assert torch.equal(torch.rand(4, generator=generator(7, "x")), torch.rand(4, generator=generator(7, "x")))


def test_a_seeded_block_draws_the_same_and_leaves_no_trace() -> None:
    with global_random_state_untouched():
        with seeded(5):
            first = torch.rand(4)
        torch.rand(0)
        with seeded(5, torch.device("cpu")):
            second = torch.rand(4)
    assert torch.equal(first, second)
