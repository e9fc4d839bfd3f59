"""A data set dealt to the clients of a federation."""

import hashlib

import pytest
import torch

from shared.data.splits import Splits
from shared.images import LabelledImages
from shared.protocol import Protocol
from shared.shards import Shards, balanced, deal
from tests.shared.draws import global_random_state_untouched


def numbered(per_class: list[int], *, first: int = 0) -> LabelledImages:
    """Images whose pixels spell their own number, so that they can be told apart."""
    labels = torch.repeat_interleave(torch.arange(len(per_class)), torch.tensor(per_class))
    numbers = torch.arange(first, first + len(labels))
    images = torch.stack([numbers // 256, numbers % 256], dim=1).to(torch.uint8).view(-1, 1, 1, 2).expand(-1, 1, 4, 2)
    names = tuple(f"class {c}" for c in range(len(per_class)))
    return LabelledImages(images=images.contiguous(), labels=labels, class_names=names)


def numbers(data: LabelledImages) -> list[int]:
    return [int(image[0, 0, 0]) * 256 + int(image[0, 0, 1]) for image in data.images]


def splits(train: LabelledImages, test: LabelledImages | None) -> Splits:
    names = train.class_names
    return Splits(train=train, test=test, class_names=names, image_size=4, channels=1)


CLIENTS = ("agent-1", "agent-2", "agent-3")


def test_training_images_are_dealt_once_and_their_counts_are_the_federations() -> None:
    shards = deal(
        splits(numbered([60] * 4), numbered([20] * 4, first=1000)),
        clients=CLIENTS,
        imbalance_factor=10,
        alpha=0.5,
        seed=0,
    )
    dealt = [number for client in shards.clients for number in numbers(client.train)]
    assert [client.client for client in shards.clients] == list(CLIENTS)
    assert len(dealt) == len(set(dealt)) == int(shards.class_counts.sum())
    assert shards.class_counts.tolist() == [60, 27, 12, 6]
    assert sum(client.train.class_counts() for client in shards.clients).equal(shards.class_counts)


def test_test_images_are_never_training_images() -> None:
    for test in (numbered([20] * 4, first=1000), None):
        shards = deal(splits(numbered([60] * 4), test), clients=CLIENTS, imbalance_factor=5, alpha=0.5, seed=1)
        trained = {number for client in shards.clients for number in numbers(client.train)}
        tested = {number for client in shards.clients for number in numbers(client.test)}
        assert tested
        assert not trained & (tested | set(numbers(shards.evaluation)))


def test_a_source_without_a_test_split_gives_a_fifth_of_each_class() -> None:
    shards = deal(splits(numbered([60] * 4), None), clients=CLIENTS, imbalance_factor=1, alpha=0.5, seed=1)
    assert shards.evaluation.class_counts().tolist() == [12] * 4
    assert shards.class_counts.tolist() == [48] * 4


def test_evaluation_images_are_balanced() -> None:
    uneven = numbered([9, 4, 0, 7])
    assert balanced(uneven, seed=0).class_counts().tolist() == [4, 4, 0, 4]
    shards = deal(splits(numbered([60] * 4), uneven), clients=CLIENTS, imbalance_factor=1, alpha=0.5, seed=0)
    assert shards.evaluation.class_counts().tolist() == [4, 4, 0, 4]
    even = numbered([5, 5])
    assert balanced(even, seed=0) is even


def test_the_same_seed_deals_the_same_images_and_another_seed_others() -> None:
    source = splits(numbered([60] * 4), numbered([20] * 4, first=1000))
    with global_random_state_untouched():
        dealt = [
            [numbers(part) for client in shards.clients for part in (client.train, client.test)]
            for shards in (deal(source, clients=CLIENTS, imbalance_factor=10, alpha=0.5, seed=s) for s in (0, 0, 1))
        ]
    assert dealt[0] == dealt[1]
    assert dealt[0] != dealt[2]


TRAIN, TEST = numbered([80] * 5), numbered([30] * 5, first=1000)
PAPER, POOL = Protocol(), Protocol(measured_on="validation", pool_share=0.25)


def dealt(protocol: Protocol, *, test: LabelledImages | None = TEST, alpha: float = 0.3) -> Shards:
    return deal(splits(TRAIN, test), clients=CLIENTS, imbalance_factor=10, alpha=alpha, seed=3, protocol=protocol)


@pytest.mark.parametrize("protocol", [PAPER, POOL, Protocol(validation_share=0.2, new_class_share=0.3)])
def test_indices_find_the_same_images_in_one_pass_over_the_test(protocol: Protocol) -> None:
    shards = dealt(protocol)
    whole = numbers(shards.test)
    assert numbers(shards.evaluation) == [whole[index] for index in shards.evaluation_indices.tolist()]
    for client in shards.clients:
        assert numbers(client.test) == [whole[index] for index in client.test_indices.tolist()]
        assert client.test_indices.tolist() == sorted(set(client.test_indices.tolist()))


@pytest.mark.parametrize("test", [TEST, None])
def test_a_study_on_the_validation_pool_touches_no_test_image(test: LabelledImages | None) -> None:
    on_test, on_pool = dealt(PAPER, test=test), dealt(POOL, test=test)
    tested = set(numbers(on_test.test))
    pool = set(numbers(on_pool.test))
    trained = {number for client in on_pool.clients for number in numbers(client.train)}
    assert pool
    assert not tested & (pool | trained)
    assert not pool & trained
    assert all(set(numbers(client.test)) <= pool for client in on_pool.clients)
    assert on_pool.test.class_counts().tolist() == [20 if test is not None else 16] * 5
    assert set(numbers(on_pool.evaluation)) <= pool


def test_the_pool_is_held_back_before_the_tail_is_drawn() -> None:
    # 60 of 80 images are left of the largest class; the tail keeps a tenth of that, and its pool is as large as any
    assert dealt(POOL).class_counts.tolist() == [60, 33, 18, 10, 6]


def test_no_option_moves_the_draws_of_another() -> None:
    plain, both = dealt(PAPER), dealt(Protocol(validation_share=0.2, new_class_share=0.3))
    assert plain.class_counts.equal(both.class_counts)
    for client, other in zip(plain.clients, both.clients, strict=True):
        assert sorted(numbers(client.train)) == sorted(numbers(other.train) + numbers(other.validation))
        assert [n for n, new in zip(numbers(other.test), other.is_new().tolist(), strict=True) if not new] == numbers(
            client.test
        )
        assert client.validation is None


def test_a_validation_split_leaves_every_class_to_train_on() -> None:
    shards = dealt(Protocol(validation_share=0.5))
    for client, plain in zip(shards.clients, dealt(PAPER).clients, strict=True):
        assert ((client.train.class_counts() > 0) == (plain.train.class_counts() > 0)).all()
        assert len(client.validation) > 0


def test_the_clients_without_new_classes_are_named() -> None:
    shards = dealt(Protocol(new_class_share=0.2), alpha=0.5)
    have_all = [client.client for client in shards.clients if bool((client.train.class_counts() > 0).all())]
    assert list(shards.without_new_classes()) == have_all
    assert 0 < len(have_all) < len(CLIENTS)
    for client in shards.clients:
        new = int(client.is_new().sum())
        assert new == (0 if client.client in have_all else round((len(client.test) - new) / 4))


def test_what_is_dealt_by_default_has_not_changed() -> None:
    """Golden: numbers from before the protocol existed; a draw that moves changes every recorded digest."""
    shards = deal(
        splits(numbered([60] * 4), numbered([20, 20, 20, 15], first=1000)),
        clients=CLIENTS,
        imbalance_factor=10,
        alpha=0.5,
        seed=0,
    )
    text = repr(
        [[numbers(client.train), numbers(client.test)] for client in shards.clients] + [numbers(shards.evaluation)]
    )
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "72fbb737ea49108f0d6b013a865a6e8ccdb43c60ed0de85b587b4ac45b0a12b8"
    )
