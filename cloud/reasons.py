"""Why the coordinator waits, by code: what for, and what happens when its deadline has passed."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cloud.store.rows import Participant

ReasonCode: TypeAlias = Literal["clients-to-join", "updates", "export", "final-reports", "nothing"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One wait.

    Attributes:
        waits_for: In words.
        then: What happens at the deadline.
    """

    waits_for: str
    then: str


REASONS: Final[dict[ReasonCode, Reason]] = {
    "clients-to-join": Reason("clients to join", "round 1 begins with those that came; with none, exit code 7"),
    "updates": Reason(
        "updates of the round's participants",
        "the round closes without the missing if its quorum has come; else exit code 7, and starting again resumes it",
    ),
    "export": Reason("the generic model's export", "it ends by itself; then final reports are waited for"),
    "final-reports": Reason("the clients' final reports", "the federation is complete without the missing"),
    "nothing": Reason("nothing", "nothing: the federation is complete"),
}
"""Every state in which an operator can find a coordinator."""


def missing_piece(part: Participant, *, online: bool | None) -> tuple[str, str]:
    """Say what a participant's update lacks: a code, and words.

    Args:
        part: One whose update has not come.
        online: Whether the client is; None where the round is over and nobody knows any more.
    """
    if part.stage == "offered":
        return "transfer", "its update is offered and was not received whole"
    if online is False:
        return "offline", "it is offline" + (", and was told to train before" if part.stage == "told" else "")
    if part.stage == "told":
        return "training", "it was told to train and has not answered"
    return "untold", "it has not been told: it was not online, or hears of the round within seconds"
