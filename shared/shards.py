"""One data set dealt to the clients of a federation: long-tailed over all, non-IID between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.data.held_out import held_out
from shared.data.splits import Splits
from shared.images import LabelledImages
from shared.longtail import make_long_tailed
from shared.new_classes import new_class_indices
from shared.partition import local_test_indices, partition_by_dirichlet
from shared.protocol import Protocol
from shared.seeds import generator
from shared.validation import split_validation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClientData:
    """What one client has.

    Attributes:
        client: Its id.
        train: What it trains on, at least one image.
        test: Distributed over classes as its images were dealt, with images of new classes where the protocol has
            them; may share images with other clients.
        validation: Training images it keeps to choose by; None where the protocol keeps none.
        test_indices: (M,), int64, where the images of ``test`` stand in ``Shards.test``; None where it was not dealt.
    """

    client: str
    train: LabelledImages
    test: LabelledImages
    validation: LabelledImages | None = None
    test_indices: Tensor | None = None

    def is_new(self) -> Tensor:
        """Return (M,), bool: which test images are of a class without a training image."""
        return self.train.class_counts()[self.test.labels] == 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shards:
    """A dealt data set.

    Attributes:
        clients: In the order their ids were given.
        class_counts: (num_classes,), int64, images dealt per class over all clients, their validation images included.
        evaluation: The balanced images a coordinator measures the generic model on.
        test: All images that are measured on: the test split, or the validation pool. One pass of the backbone over
            them gives the features of ``evaluation`` and of every client's ``test``.
        evaluation_indices: (E,), int64, where the images of ``evaluation`` stand in ``test``.
        protocol: How the images were set aside.
    """

    clients: tuple[ClientData, ...]
    class_counts: Tensor
    evaluation: LabelledImages
    test: LabelledImages
    evaluation_indices: Tensor
    protocol: Protocol

    def without_new_classes(self) -> tuple[str, ...]:
        """Return the clients whose tests hold no image of a new class, most often because they have all classes."""
        return tuple(client.client for client in self.clients if not bool(client.is_new().any()))


def deal(
    splits: Splits,
    *,
    clients: Sequence[str],
    imbalance_factor: float,
    alpha: float,
    seed: int,
    protocol: Protocol | None = None,
) -> Shards:
    """Make a data set long-tailed and deal it to clients.

    A source without a test split gives a fifth of each class away as one first. Every share of the protocol draws from
    generators of its own: a validation split changes no client's test, and new classes change neither.

    Args:
        splits: The data set.
        clients: Ids, all different.
        imbalance_factor: Largest over smallest class, at least 1; see ``shared.longtail``.
        alpha: Concentration of the Dirichlet partition; see ``shared.partition``.
        seed: The root seed.
        protocol: What is set aside to measure on; None is the paper's protocol.

    Raises:
        SettingsError: The imbalance factor, alpha or the number of clients does not fit.
    """
    protocol = Protocol() if protocol is None else protocol
    pool, test = _set_aside(splits, protocol, seed)
    dealt = pool.select(make_long_tailed(pool, imbalance_factor, seed))
    counts = dealt.class_counts()
    parts = partition_by_dirichlet(dealt.labels, len(splits.class_names), len(clients), alpha, seed)
    chosen = balanced_indices(test, seed)
    return Shards(
        clients=tuple(
            _client(client, dealt.select(indices), counts=counts, test=test, protocol=protocol, seed=seed)
            for client, indices in zip(clients, parts, strict=True)
        ),
        class_counts=counts,
        evaluation=test if len(chosen) == len(test) else test.select(chosen),
        test=test,
        evaluation_indices=chosen,
        protocol=protocol,
    )


def _set_aside(splits: Splits, protocol: Protocol, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """Return the images to deal and the images to measure on."""
    pool, test = splits.train, splits.test
    if test is None:
        pool, test = held_out(pool, seed=seed, client="")
    if protocol.measured_on == "validation":
        pool, test = held_out(pool, share=protocol.pool_share, seed=seed, client="", purpose="validation-pool")
    return pool, test


def _client(
    client: str, own: LabelledImages, *, counts: Tensor, test: LabelledImages, protocol: Protocol, seed: int
) -> ClientData:
    own_counts = own.class_counts()
    indices = local_test_indices(own_counts, counts, test.labels, seed, client)
    new = new_class_indices(
        own_counts, test.labels, own=len(indices), share=protocol.new_class_share, seed=seed, client=client
    )
    indices = torch.cat([indices, new]).sort().values
    validation = None
    if protocol.validation_share > 0:
        own, validation = split_validation(own, share=protocol.validation_share, seed=seed, client=client)
    return ClientData(client=client, train=own, test=test.select(indices), validation=validation, test_indices=indices)


def balanced(data: LabelledImages, seed: int) -> LabelledImages:
    """Return as many images of every class as the rarest has, at random; the data itself where it is balanced."""
    chosen = balanced_indices(data, seed)
    return data if len(chosen) == len(data) else data.select(chosen)


def balanced_indices(data: LabelledImages, seed: int) -> Tensor:
    """Choose as many images of every class as the rarest has; all of them where they are balanced.

    Classes without images are left out of the count.

    Returns:
        (M,), int64, sorted indices into ``data``.
    """
    counts = data.class_counts()
    present = counts[counts > 0]
    if not len(present) or int(present.min()) == int(present.max()):
        return torch.arange(len(data))
    random = generator(seed, "balanced-test")
    chosen = []
    for label in range(len(counts)):
        members = (data.labels == label).nonzero().flatten()
        chosen.append(members[torch.randperm(len(members), generator=random)[: int(present.min())]])
    return torch.cat(chosen).sort().values
