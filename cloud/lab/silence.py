"""A coordinator's progress that says nothing: the lab has its own."""

from collections.abc import Sequence

from cloud.plan import RoundPlan
from cloud.progress import Progress
from cloud.store.rows import ReportRow, RoundResult


class Silence(Progress):
    """Takes what an operator would be told, and keeps it to itself."""

    def joining(self, wanted: int) -> None:
        """Say nothing."""

    def client_seen(self, client: str, *, online: bool, is_new: bool) -> None:
        """Say nothing."""

    def round_opened(self, plan: RoundPlan) -> None:
        """Say nothing."""

    def round_committed(self, plan: RoundPlan, result: RoundResult, missing: Sequence[str]) -> None:
        """Say nothing."""

    def exported(self, path: str | None) -> None:
        """Say nothing."""

    def finishing(self, clients: int) -> None:
        """Say nothing."""

    def complete(self, reports: Sequence[ReportRow], missing: Sequence[str]) -> None:
        """Say nothing."""
