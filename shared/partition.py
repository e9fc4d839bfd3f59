"""Non-IID clients: which client holds which training image, and which test images are each client's own."""

from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import SettingsError
from shared.rounding import largest_remainder
from shared.seeds import derive_seed, generator

MAX_DRAWS = 100
"""Draws until every client has an image, then images are moved: 0.2 s at worst for 10,000 images and 100 clients."""


def partition_by_dirichlet(labels: Tensor, num_classes: int, num_clients: int, alpha: float, seed: int) -> list[Tensor]:
    """Deal every image to exactly one client, each class by proportions of its own.

    Per class, ``p ~ Dir(alpha * 1_K)`` over the K clients, and every image of the class goes to a client drawn from p,
    as in the authors' code: sizes are random. Small alpha: few clients share a class; large alpha: near IID.

    Deviation: no client stays empty, which the authors do not guard against. A draw that leaves one empty is drawn
    again from the next derived seed, up to ``MAX_DRAWS`` times; after that each empty client is given one image of the
    client that has most, its last one.

    Args:
        labels: (N,), int64.
        num_classes: C; labels lie below it.
        num_clients: K, at most N.
        alpha: Concentration, above 0.
        seed: The root seed; the global random states of torch and numpy are neither read nor changed.

    Returns:
        K tensors of sorted indices into ``labels``, int64, none empty.

    Raises:
        SettingsError: alpha or the number of clients does not fit.
    """
    if not 0 < alpha < float("inf"):
        raise SettingsError(f"alpha is {alpha}, must be above 0", remedy="0.5 is common; 100 is nearly IID")
    if not 1 <= num_clients <= len(labels):
        raise SettingsError(
            f"{len(labels)} images cannot be dealt to {num_clients} clients, one each at least",
            remedy="use fewer agents, more images or a smaller imbalance factor",
        )
    owners: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    for draw in range(MAX_DRAWS):
        owners = _draw_owners(labels.numpy(), num_classes, num_clients, alpha, derive_seed(seed, "partition", draw))
        if np.bincount(owners, minlength=num_clients).min() > 0:
            break
    owners = _without_empty_clients(owners, num_clients)
    return [torch.from_numpy(np.flatnonzero(owners == client)) for client in range(num_clients)]


def _draw_owners(
    labels: NDArray[np.int64],
    num_classes: int,
    num_clients: int,
    alpha: float,
    seed: int,
) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)  # torch's own Dirichlet draws from its global state
    owners = np.empty(len(labels), dtype=np.int64)
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        proportions = random.dirichlet(np.full(num_clients, alpha))
        owners[members] = random.choice(num_clients, size=len(members), p=proportions)
    return owners


def _without_empty_clients(owners: NDArray[np.int64], num_clients: int) -> NDArray[np.int64]:
    owners = owners.copy()
    sizes = np.bincount(owners, minlength=num_clients)
    for empty in np.flatnonzero(sizes == 0).tolist():
        richest = int(sizes.argmax())
        owners[np.flatnonzero(owners == richest)[-1]] = empty
        sizes[richest] -= 1
        sizes[empty] += 1
    return owners


def local_test_indices(
    client_counts: Tensor, total_counts: Tensor, test_labels: Tensor, seed: int, client: str
) -> Tensor:
    """Choose a client's own test images, distributed over classes as its training images are.

    With n_{k,c} training images of class c on client k, N on all clients and T test images, class c gets
    ``n_{k,c} * T / N`` of them, rounded by largest remainders to a whole that has at least one image. Where the test
    split has fewer than that of some class, all of the client's classes shrink by one factor, so that the distribution
    stays; a class without any test image is left out. Clients share test images with each other.

    Deviation: the authors truncate each class, which loses up to a quarter of the test images, all in the tail.

    Args:
        client_counts: (num_classes,), int64, n_{k,c}.
        total_counts: (num_classes,), int64, the sum over all clients.
        test_labels: (T,), int64.
        seed: The root seed.
        client: The client's id: each draws from a generator of its own.

    Returns:
        Sorted indices into ``test_labels``, int64, without repetition; empty where no class of the client has a test
        image.
    """
    available = torch.bincount(test_labels, minlength=len(client_counts)).tolist()
    owned = [count if available[label] else 0 for label, count in enumerate(client_counts.tolist())]
    if not sum(owned):
        return torch.empty(0, dtype=torch.int64)
    per_image = min(
        Fraction(len(test_labels), int(total_counts.sum())),
        *(Fraction(available[label], count) for label, count in enumerate(owned) if count),
    )
    quotas = [count * per_image for count in owned]
    sizes = largest_remainder(quotas, max(1, round(sum(quotas))))
    random = generator(seed, "local-test", client)
    chosen = []
    for label, size in enumerate(sizes):
        members = (test_labels == label).nonzero().flatten()
        chosen.append(members[torch.randperm(len(members), generator=random)[:size]])
    return torch.cat(chosen).sort().values
