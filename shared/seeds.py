"""One root seed, and an independent generator for every purpose: an extra draw here changes nothing there."""

import hashlib

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
