"""What every seeded draw must leave alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def global_random_state_untouched() -> Iterator[None]:
    """Fail when the block reads or changes the global random state of torch or numpy."""
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002 - the state under test
    yield
    assert torch.equal(torch_before, torch.get_rng_state())
    numpy_after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(numpy_before, numpy_after, strict=True))
