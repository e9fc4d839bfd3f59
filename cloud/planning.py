"""Who takes part in a round: a pure function of the seed, the round and the known clients."""

import math
from collections.abc import Collection

import torch

from cloud.plan import RoundPlan
from shared.seeds import generator


def plan_round(
    *,
    round_number: int,
    base_blob: str,
    clients: Collection[str],
    seed: int,
    fraction: float,
    quorum: float,
    deadline_seconds: float,
    over_selection: float = 0.0,
) -> RoundPlan:
    """Draw a round's participants uniformly without replacement.

    The order in which clients joined does not matter: they are sorted before the draw.

    Args:
        round_number: Counted from 1.
        base_blob: Blob the round starts from.
        clients: Ids of all known clients, at least one.
        seed: The federation's root seed.
        fraction: Share of clients to select, 0 < fraction <= 1; at least one client is selected.
        quorum: Share of the wanted updates that suffice at the deadline.
        deadline_seconds: Time the round may take.
        over_selection: Further clients to select, as a share of those; the round closes without its slowest as many.

    Raises:
        ValueError: There is no client.
    """
    if not clients:
        raise ValueError("a round needs at least one client")
    known = sorted(clients)
    size = max(1, int(fraction * len(known)))  # the authors' max(int(frac * K), 1)
    extra = min(len(known) - size, math.ceil(over_selection * size))
    order = torch.randperm(len(known), generator=generator(seed, "participants", round_number))
    participants = tuple(sorted(known[i] for i in order[: size + extra].tolist()))
    return RoundPlan(
        round_number=round_number,
        base_blob=base_blob,
        participants=participants,
        quorum=max(1, math.ceil(quorum * size)),
        deadline_seconds=deadline_seconds,
        wanted=size if extra else 0,
    )
