"""One data set dealt to the clients of a federation: long-tailed over all, non-IID between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.data.held_out import held_out
from shared.data.splits import Splits
from shared.images import LabelledImages
from shared.longtail import make_long_tailed
from shared.partition import local_test_indices, partition_by_dirichlet
from shared.seeds import generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClientData:
    """What one client has.

    Attributes:
        client: Its id.
        train: At least one image.
        test: Distributed over classes as ``train`` is; may share images with other clients.
    """

    client: str
    train: LabelledImages
    test: LabelledImages


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shards:
    """A dealt data set.

    Attributes:
        clients: In the order their ids were given.
        class_counts: (num_classes,), int64, training images per class over all clients.
        evaluation: The balanced test images a coordinator measures the generic model on.
    """

    clients: tuple[ClientData, ...]
    class_counts: Tensor
    evaluation: LabelledImages


def deal(splits: Splits, *, clients: Sequence[str], imbalance_factor: float, alpha: float, seed: int) -> Shards:
    """Make a data set long-tailed and deal it to clients.

    A source without a test split gives a fifth of each class away as one first.

    Args:
        splits: The data set.
        clients: Ids, all different.
        imbalance_factor: Largest over smallest class, at least 1; see ``shared.longtail``.
        alpha: Concentration of the Dirichlet partition; see ``shared.partition``.
        seed: The root seed.

    Raises:
        SettingsError: The imbalance factor, alpha or the number of clients does not fit.
    """
    pool, test = splits.train, splits.test
    if test is None:
        pool, test = held_out(pool, seed=seed, client="")
    train = pool.select(make_long_tailed(pool, imbalance_factor, seed))
    counts = train.class_counts()
    parts = partition_by_dirichlet(train.labels, len(splits.class_names), len(clients), alpha, seed)
    dealt = []
    for client, indices in zip(clients, parts, strict=True):
        own = train.select(indices)
        own_test = test.select(local_test_indices(own.class_counts(), counts, test.labels, seed, client))
        dealt.append(ClientData(client=client, train=own, test=own_test))
    return Shards(clients=tuple(dealt), class_counts=counts, evaluation=balanced(test, seed))


def balanced(data: LabelledImages, seed: int) -> LabelledImages:
    """Return as many images of every class as the rarest has, at random; the data itself where it is balanced.

    Classes without images are left out of the count.
    """
    counts = data.class_counts()
    present = counts[counts > 0]
    if not len(present) or int(present.min()) == int(present.max()):
        return data
    random = generator(seed, "balanced-test")
    chosen = []
    for label in range(len(counts)):
        members = (data.labels == label).nonzero().flatten()
        chosen.append(members[torch.randperm(len(members), generator=random)[: int(present.min())]])
    return data.select(torch.cat(chosen).sort().values)
