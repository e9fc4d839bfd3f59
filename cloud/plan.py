"""What is decided before a round begins."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """What is decided before a round is announced; committed in SQL first, so a restart resumes the same round.

    Attributes:
        round_number: Counted from 1.
        base_blob: SHA-256 of the shared tensors the round starts from.
        participants: Client ids, sorted.
        wanted: Updates that close the round at once, the rest being selected in case of stragglers; 0 waits for all.
        quorum: Updates needed to close the round at its deadline, at least 1.
        deadline_seconds: From the announcement; a restart starts it anew.
    """

    round_number: int
    base_blob: str
    participants: tuple[str, ...]
    quorum: int
    deadline_seconds: float
    wanted: int = 0
