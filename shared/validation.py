"""A client's validation images: part of its training images, to choose by, since test images choose nothing."""

from fractions import Fraction

import torch
from torch import Tensor

from shared.images import LabelledImages
from shared.rounding import largest_remainder
from shared.seeds import generator


def validation_indices(data: LabelledImages, *, share: float, seed: int, client: str) -> Tensor:
    """Choose a client's validation images, gently to the tail.

    Class c with n_c images gives ``min(share * n_c, n_c - 1)`` of them, rounded by largest remainders to the rounded
    sum: the split has the client's own distribution, and no class loses its last training image. ``held_out`` takes at
    least one image of every class with two, which is half of what a tail class has.

    Args:
        data: The client's training images.
        share: Of its images, 0 <= share <= 0.5.
        seed: The root seed.
        client: Its id: each client draws from a generator of its own.

    Returns:
        (M,), int64, sorted indices into ``data``; none where the share comes to less than half an image.
    """
    part = Fraction(str(share))  # 0.1 is meant as a tenth, not as the nearest binary number
    quotas = [min(part * count, Fraction(max(0, count - 1))) for count in data.class_counts().tolist()]
    sizes = largest_remainder(quotas, round(sum(quotas)))
    random = generator(seed, "validation", client)
    chosen = []
    for label, size in enumerate(sizes):
        members = (data.labels == label).nonzero().flatten()
        chosen.append(members[torch.randperm(len(members), generator=random)[:size]])
    return torch.cat(chosen).sort().values


def split_validation(
    data: LabelledImages, *, share: float, seed: int, client: str
) -> tuple[LabelledImages, LabelledImages]:
    """Return what the client trains on and what it chooses by, as ``validation_indices`` says."""
    is_chosen = torch.zeros(len(data), dtype=torch.bool)
    is_chosen[validation_indices(data, share=share, seed=seed, client=client)] = True
    return data.select((~is_chosen).nonzero().flatten()), data.select(is_chosen.nonzero().flatten())
