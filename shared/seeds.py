"""One root seed, and an independent generator for every purpose: an extra draw here changes nothing there."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(root_seed: int, *purpose: str | int) -> int:
    """Derive the seed of one purpose, such as ``("train", round_number, client)``.

    SHA-256 of the named parts, so that neighbouring rounds share no structure and the result is the same on every
    machine and Python version.

    Args:
        root_seed: The federation's seed.
        purpose: What the draws are for; parts are told apart by type and length.

    Returns:
        An integer in [0, 2**63), which ``torch.Generator.manual_seed`` takes.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in (root_seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(root_seed: int, *purpose: str | int) -> torch.Generator:
    """Return a CPU generator of its own for one purpose; the global random state is neither read nor changed."""
    return torch.Generator().manual_seed(derive_seed(root_seed, *purpose))


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's global random state within the block and restore it after: for code that takes no generator.

    Layers draw their initial weights and their dropout from the global state. ``torch.manual_seed`` would also seed
    every CUDA device there is; this touches the CPU's state and the given device's only.

    Args:
        seed: In [0, 2**63).
        device: A CUDA device whose state is seeded and restored too.
    """
    cuda = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda, device_type="cuda"):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(cuda[0]):
                torch.cuda.manual_seed(seed)
        yield
