"""What the coordinator needs of a model registry, which is a part of its store: which model serves on which device."""

from dataclasses import dataclass
from typing import Literal, Protocol

from shared.messages import CurrentModel

ModelKind = Literal["generic", "personal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """A client that could not make its personal model, and its words."""

    client: str
    round_number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientModelRow:
    """The model a client last reported as the one that serves.

    Attributes:
        client: On whose device.
        model: What was reported.
        reported_at: When first, ISO 8601 in UTC.
        versions: How many reports of another model are kept, this one among them.
    """

    client: str
    model: CurrentModel
    reported_at: str
    versions: int


class ModelRegistry(Protocol):
    """Each method is one transaction, as in ``RoundStore``."""

    def record_failure(self, failure: FailureRow) -> None:
        """Record that a client could not make its personal model; a newer one replaces it, a report ends it.

        Raises:
            StoreError: The client was never seen, or the round is not committed.
        """
        ...

    def failures(self) -> list[FailureRow]:
        """Return all such failures, sorted by client."""
        ...

    def record_model(self, client: str, model: CurrentModel) -> None:
        """Record which model serves on a device; the same one again changes nothing, and the record is bounded.

        Raises:
            StoreError: The client was never seen.
        """
        ...

    def models(self) -> list[ClientModelRow]:
        """Return every client's current model, sorted by client; a client that reported none is left out."""
        ...
