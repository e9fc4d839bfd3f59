"""A data set dealt to the clients of a federation."""

import torch

from shared.data.splits import Splits
from shared.images import LabelledImages
from shared.shards import balanced, deal
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
