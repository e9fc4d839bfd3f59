"""Rounding that keeps a total: the largest-remainder method."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor


def largest_remainder(quotas: Sequence[Fraction], total: int) -> list[int]:
    """Round shares down, and give what is missing from the total to the largest remainders.

    Every result is its quota rounded down or up; nothing is lost in the tail, where truncation would give every small
    share zero. Of equal remainders the earlier is served first. Fractions make it exact on every machine.

    Args:
        quotas: Non-negative shares.
        total: Their sum, rounded down or up.

    Returns:
        Integers that sum to ``total``.

    Raises:
        ValueError: ``total`` is not the sum rounded down or up.
    """
    rounded = [floor(quota) for quota in quotas]
    exact = sum(quotas, start=Fraction(0))
    if abs(exact - total) >= 1:
        raise ValueError(f"total is {total}, the quotas sum to {float(exact)}")
    remainders = [quota - whole for quota, whole in zip(quotas, rounded, strict=True)]
    by_remainder = sorted(range(len(quotas)), key=lambda index: (-remainders[index], index))
    for index in by_remainder[: total - sum(rounded)]:
        rounded[index] += 1
    return rounded
