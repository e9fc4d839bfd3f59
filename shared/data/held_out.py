"""Held-out images of a device whose folder has no test split."""

import torch

from shared.images import LabelledImages
from shared.seeds import generator


def held_out(
    data: LabelledImages, *, share: float = 0.2, seed: int, client: str, purpose: str = "held-out"
) -> tuple[LabelledImages, LabelledImages]:
    """Split images per class into those to train on and those held out.

    Of a class with n > 1 images, ``round(share * n)`` are held out, at least one and at most n - 1; a class with one
    image stays in train, so the held-out part is empty where no class has two.

    Args:
        data: All images of one device.
        share: Part to hold out, 0 < share < 1.
        seed: The federation's root seed.
        client: Whose images these are: each client draws from a generator of its own.
        purpose: What for: each purpose draws from generators of its own.

    Returns:
        Train and held-out part, in the order of ``data``; together they are ``data``.
    """
    random = generator(seed, purpose, client)
    is_held_out = torch.zeros(len(data), dtype=torch.bool)
    for label in range(len(data.class_names)):
        members = (data.labels == label).nonzero().flatten()
        shuffled = members[torch.randperm(len(members), generator=random)]
        size = min(max(1, round(share * len(members))), len(members) - 1) if len(members) > 1 else 0
        is_held_out[shuffled[:size]] = True
    return data.select((~is_held_out).nonzero().flatten()), data.select(is_held_out.nonzero().flatten())
