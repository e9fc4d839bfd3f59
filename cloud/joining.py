"""The phase before round 1: clients come until there are enough."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from msgspec import Struct

from cloud.store.contract import RoundStore
from shared.messages import Failure, FinalReport, UpdateOffer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Joining:
    """Waits for clients; the greeting itself is the coordinator's.

    Attributes:
        store: Knows who came, also before a restart.
        wanted: Clients to wait for.
    """

    store: RoundStore
    wanted: int

    def task_for(self, client: str) -> Struct | None:
        """Return None: there is nothing to do yet."""
        del client
        return None

    def addressed(self, clients: Collection[str]) -> None:
        """Ignore who was addressed: nobody is."""

    def answer(self, client: str, message: UpdateOffer | FinalReport | Failure) -> None:
        """Ignore answers to tasks of an earlier life of this coordinator."""
        log.info("%s sent %s before round 1", client, type(message).__name__)

    def arrived(self, client: str, blob: str) -> None:
        """Ignore blobs: nothing is pulled in this phase."""

    def done(self) -> bool:
        """Tell whether enough clients have come."""
        return len(self.store.clients()) >= self.wanted
