"""Long-tailed data: class sizes that fall exponentially from head to tail."""

import torch
from torch import Tensor

from shared.errors import SettingsError
from shared.images import LabelledImages
from shared.seeds import generator


def exponential_counts(available: Tensor, imbalance_factor: float) -> Tensor:
    """Return how many images of each class a long-tailed data set keeps.

    ``n_c = floor(n_max * IF ** (-c / (C - 1)))``, where class 0 is the head, n_max the size of the largest class and
    IF the ratio of the largest to the smallest (the papers' IF of 100; the authors' code writes 0.01). A class keeps
    no more than it has, and at least one image if it has any.

    Args:
        available: (num_classes,), int64, images per class.
        imbalance_factor: IF >= 1; 1 keeps everything.

    Returns:
        (num_classes,), int64.

    Raises:
        SettingsError: The imbalance factor is below 1 or not finite.
    """
    if not 1 <= imbalance_factor < float("inf"):
        raise SettingsError(
            f"the imbalance factor is {imbalance_factor}, must be at least 1",
            remedy="give the ratio of the largest to the smallest class, such as 100; 1 is balanced",
        )
    last = max(len(available) - 1, 1)
    exponents = torch.arange(len(available), dtype=torch.float64) / last
    largest = float(available.max()) if len(available) else 0.0
    # 1e-9 keeps a product such as 50 from becoming 49 by one rounding of the power
    counts = (largest * float(imbalance_factor) ** -exponents + 1e-9).floor().to(torch.int64)
    return torch.minimum(counts.clamp(min=1), available)


def make_long_tailed(data: LabelledImages, imbalance_factor: float, seed: int) -> Tensor:
    """Choose the images of a long-tailed data set, at random within each class.

    Args:
        data: Any labelled images.
        imbalance_factor: As in ``exponential_counts``.
        seed: The root seed; each class draws from a generator of its own.

    Returns:
        (M,), int64, sorted indices into ``data``.

    Raises:
        SettingsError: The imbalance factor is below 1.
    """
    counts = exponential_counts(data.class_counts(), imbalance_factor)
    kept = []
    for label, count in enumerate(counts.tolist()):
        members = (data.labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator(seed, "longtail", label))
        kept.append(members[order[:count]])
    return torch.cat(kept).sort().values
