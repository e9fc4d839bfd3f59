"""Test images of classes a client never trained on, since a device in use meets those."""

from fractions import Fraction

import torch
from torch import Tensor

from shared.seeds import generator


def new_class_indices(
    client_counts: Tensor, test_labels: Tensor, *, own: int, share: float, seed: int, client: str
) -> Tensor:
    """Choose the images of new classes that join a client's local test.

    The local test of the paper stays as it is, so that figures on known classes can be compared with the paper's
    protocol; ``own * share / (1 - share)`` images are added, rounded to the nearest whole, half to even. They spread
    over the absent classes as evenly as the images allow: what a device will meet, nobody knows, and every class counts
    alike. Which classes get one more where it does not come out even is drawn per client. Where the absent classes hold
    fewer images than wanted, all of those are taken.

    Args:
        client_counts: (num_classes,), int64, the client's training images.
        test_labels: (T,), int64.
        own: Images in the client's local test.
        share: Of the whole test, 0 <= share < 1.
        seed: The root seed.
        client: Its id: each client draws from a generator of its own.

    Returns:
        Sorted indices into ``test_labels``, int64, without repetition; none for a client that has all classes.
    """
    part = Fraction(str(share))
    missing = round(own * part / (1 - part))
    available = torch.bincount(test_labels, minlength=len(client_counts))
    absent = ((client_counts == 0) & (available > 0)).nonzero().flatten()
    random = generator(seed, "new-class-test", client)
    absent = absent[torch.randperm(len(absent), generator=random)]
    # each class's images in random order; taken in turns, one of every class before the second of any
    drawn = []
    for label in absent.tolist():
        members = (test_labels == label).nonzero().flatten()
        drawn.append(members[torch.randperm(len(members), generator=random)].tolist())
    turns = [
        members[turn] for turn in range(max(map(len, drawn), default=0)) for members in drawn if turn < len(members)
    ]
    return torch.tensor(sorted(turns[:missing]), dtype=torch.int64)
