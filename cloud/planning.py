"""Who takes part in a round: a pure function of the seed, the round and the known clients."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch

from shared.seeds import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """What is decided before a round is announced; committed in SQL first, so a restart resumes the same round.

    Attributes:
        round_number: Counted from 1.
        base_blob: SHA-256 of the shared tensors the round starts from.
        participants: Client ids, sorted.
        quorum: Updates needed to close the round at its deadline, at least 1.
        deadline_seconds: From the announcement; a restart starts it anew.
    """

    round_number: int
    base_blob: str
    participants: tuple[str, ...]
    quorum: int
    deadline_seconds: float


def plan_round(
    *,
    round_number: int,
    base_blob: str,
    clients: Collection[str],
    seed: int,
    fraction: float,
    quorum: float,
    deadline_seconds: float,
) -> RoundPlan:
    """Draw a round's participants uniformly without replacement.

    The order in which clients joined does not matter: they are sorted before the draw.

    Args:
        round_number: Counted from 1.
        base_blob: Blob the round starts from.
        clients: Ids of all known clients, at least one.
        seed: The federation's root seed.
        fraction: Share of clients to select, 0 < fraction <= 1; at least one client is selected.
        quorum: Share of participants whose updates suffice at the deadline.
        deadline_seconds: Time the round may take.

    Raises:
        ValueError: There is no client.
    """
    if not clients:
        raise ValueError("a round needs at least one client")
    known = sorted(clients)
    size = max(1, int(fraction * len(known)))  # the authors' max(int(frac * K), 1)
    order = torch.randperm(len(known), generator=generator(seed, "participants", round_number))
    participants = tuple(sorted(known[i] for i in order[:size].tolist()))
    return RoundPlan(
        round_number=round_number,
        base_blob=base_blob,
        participants=participants,
        quorum=max(1, math.ceil(quorum * size)),
        deadline_seconds=deadline_seconds,
    )
