"""Which client holds which image, and which test images are its own."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shared.errors import SettingsError
from shared.partition import local_test_indices, partition_by_dirichlet
from tests.shared.draws import global_random_state_untouched


def owners(parts: list[Tensor], total: int) -> Tensor:
    result = torch.full((total,), -1)
    for client, indices in enumerate(parts):
        result[indices] = client
    return result


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(lambda counts: sum(counts) > 0),
    clients=st.integers(1, 12),
    alpha=st.sampled_from([1e-3, 0.1, 0.5, 100.0]),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_image_is_dealt_once_and_no_client_is_empty(
    counts: list[int], clients: int, alpha: float, seed: int
) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    clients = min(clients, len(labels))
    parts = partition_by_dirichlet(labels, len(counts), clients, alpha, seed)
    assert len(parts) == clients
    assert torch.cat(parts).sort().values.equal(torch.arange(len(labels)))
    assert min(len(part) for part in parts) > 0


def test_as_many_clients_as_images_get_one_each() -> None:
    parts = partition_by_dirichlet(torch.zeros(40, dtype=torch.int64), 1, 40, 0.1, seed=0)
    assert [len(part) for part in parts] == [1] * 40


def test_the_same_seed_deals_the_same() -> None:
    labels = torch.arange(500) % 5
    first, second = (partition_by_dirichlet(labels, 5, 8, 0.5, seed=11) for _ in range(2))
    assert all(a.equal(b) for a, b in zip(first, second, strict=True))


def test_neighbouring_seeds_are_independent() -> None:
    labels = torch.zeros(20_000, dtype=torch.int64)
    dealt = [owners(partition_by_dirichlet(labels, 1, 4, 1e6, seed=seed), 20_000) for seed in range(4)]
    for seed in range(3):
        agreement = (dealt[seed] == dealt[seed + 1]).float().mean().item()
        assert agreement == pytest.approx(0.25, abs=0.015)  # chance; 5 standard deviations


def test_alpha_spans_one_class_per_client_to_equal_shares() -> None:
    labels = torch.arange(6000) % 3
    spread = [
        np.mean(
            [torch.bincount(labels[p], minlength=3).max() / len(p) for p in partition_by_dirichlet(labels, 3, 6, a, 0)]
        )
        for a in (0.05, 0.5, 1e4)
    ]
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] == pytest.approx(1 / 3, abs=0.05)


def test_shares_of_a_class_follow_the_dirichlet_distribution() -> None:
    # For p ~ Dir(alpha 1_K): E[p] = 1/K and Var[p] = (K - 1) / (K^2 (K alpha + 1)).
    labels = torch.repeat_interleave(torch.arange(400), 200)
    parts = partition_by_dirichlet(labels, 400, 5, 0.5, seed=2)
    shares = torch.stack([torch.bincount(labels[part], minlength=400) / 200 for part in parts])
    assert shares.mean(dim=1).tolist() == pytest.approx([0.2] * 5, abs=0.05)
    assert shares.var().item() == pytest.approx(4 / (25 * 3.5), rel=0.1)


def test_dealing_leaves_the_global_random_state_alone() -> None:
    with global_random_state_untouched():
        partition_by_dirichlet(torch.arange(60) % 3, 3, 4, 0.5, seed=0)
        local_test_indices(torch.tensor([5, 5]), torch.tensor([10, 10]), torch.arange(10) % 2, 0, "a")


@pytest.mark.parametrize(
    ("clients", "alpha", "message"),
    [(3, 0.0, "alpha"), (3, float("nan"), "alpha"), (11, 0.5, "10 images"), (0, 0.5, "0 clients")],
)
def test_options_that_do_not_fit_are_refused(clients: int, alpha: float, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        partition_by_dirichlet(torch.zeros(10, dtype=torch.int64), 1, clients, alpha, seed=0)


def histogram(chosen: Tensor, test_labels: Tensor, num_classes: int) -> list[int]:
    return torch.bincount(test_labels[chosen], minlength=num_classes).tolist()


@given(
    own=st.lists(st.integers(0, 500), min_size=2, max_size=8),
    others=st.integers(1, 5000),
    pool=st.data(),
)
def test_a_local_test_follows_the_training_histogram_within_one_image(
    own: list[int], others: int, pool: st.DataObject
) -> None:
    tests = pool.draw(st.lists(st.integers(1, 60), min_size=len(own), max_size=len(own)))
    test_labels = torch.repeat_interleave(torch.arange(len(own)), torch.tensor(tests))
    total = torch.tensor(own) + torch.tensor([others] + [0] * (len(own) - 1))
    chosen = local_test_indices(torch.tensor(own), total, test_labels, 7, "a")
    assert chosen.unique().numel() == chosen.numel()
    if not sum(own):
        assert len(chosen) == 0
        return
    got = histogram(chosen, test_labels, len(own))
    factor = min(
        [Fraction(sum(tests), int(total.sum())), *(Fraction(t, n) for t, n in zip(tests, own, strict=True) if n)]
    )
    assert len(chosen) == max(1, round(factor * sum(own)))
    assert all(abs(g - factor * n) < 1 for g, n in zip(got, own, strict=True))
    assert all(g <= t for g, t in zip(got, tests, strict=True))


def test_rounding_loses_nothing_where_truncation_would_lose_the_tail() -> None:
    client, total, test_labels = torch.full((100,), 3), torch.full((100,), 40), torch.arange(1000) % 100
    assert int((client * 1000 / total.sum()).floor().sum()) == 0  # 0.75 of an image per class
    assert len(local_test_indices(client, total, test_labels, 0, "a")) == 75


def test_a_class_with_too_few_test_images_shrinks_the_whole_test_not_itself_alone() -> None:
    chosen = local_test_indices(torch.tensor([400, 200]), torch.tensor([400, 200]), torch.arange(200) % 2, 0, "a")
    assert histogram(chosen, torch.arange(200) % 2, 2) == [100, 50]


def test_a_class_without_test_images_is_left_out() -> None:
    chosen = local_test_indices(
        torch.tensor([10, 30]), torch.tensor([20, 60]), torch.zeros(40, dtype=torch.int64), 0, "a"
    )
    assert Counter(chosen.tolist()).total() == 5
    none = local_test_indices(torch.tensor([0, 30]), torch.tensor([20, 60]), torch.zeros(40, dtype=torch.int64), 0, "a")
    assert len(none) == 0


def test_each_client_draws_its_own_test_images() -> None:
    args = (torch.tensor([50]), torch.tensor([1000]), torch.zeros(1000, dtype=torch.int64), 0)
    first, again, other = (set(local_test_indices(*args, client).tolist()) for client in ("a", "a", "b"))
    assert first == again
    assert len(first & other) < 15  # 2.5 expected
