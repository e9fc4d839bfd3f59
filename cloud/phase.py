"""What every phase of a federation has in common: whom it addresses with what, and when it is over."""

from collections.abc import Collection
from typing import Protocol

from msgspec import Struct

from shared.messages import Failure, FinalReport, UpdateOffer


class Phase(Protocol):
    """Joining, a round, or finishing; the coordinator's loop feeds it and asks whether it is done."""

    def task_for(self, client: str) -> Struct | None:
        """Return what this client should be told to do now, or None: said again until it is answered."""
        ...

    def addressed(self, clients: Collection[str]) -> None:
        """Learn who was just told what to do."""
        ...

    def answer(self, client: str, message: UpdateOffer | FinalReport | Failure) -> None:
        """Take what a client said on its own lane."""
        ...

    def arrived(self, client: str, blob: str) -> None:
        """Take a blob that was pulled from a client."""
        ...

    def done(self) -> bool:
        """Tell whether nobody needs to be waited for any more."""
        ...
