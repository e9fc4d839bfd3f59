"""The phase after the last round: every client makes its personal model and reports what it is worth."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from msgspec import Struct

from cloud.store.contract import ReportRow, RoundStore
from shared.exchange import Exchange
from shared.messages import Failure, FinalReport, FinishTask, Goodbye, Manifest, UpdateOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Finishing:
    """Waits for the reports of all known clients.

    Attributes:
        round_number: The last committed round.
        model: Manifest of the final shared tensors.
        store: Where reports are recorded before the client may stop.
        exchange: Where goodbyes are said.
        time_left: Seconds until the deadline.
    """

    round_number: int
    model: Manifest
    store: RoundStore
    exchange: Exchange
    time_left: Callable[[], float]

    def missing(self) -> list[str]:
        """Return the clients that are waited for: neither reported on the final model nor said that they cannot."""
        failed = self.store.failures()
        return [client for client in self._unreported() if client not in failed]

    def without_report(self) -> list[str]:
        """Return the clients without a report, sorted, each with the reason it gave."""
        failed = self.store.failures()
        return [f"{client} ({failed[client]})" if client in failed else client for client in self._unreported()]

    def _unreported(self) -> list[str]:
        reported = {report.client for report in self.store.reports() if report.round_number == self.round_number}
        return [row.client for row in self.store.clients() if row.client not in reported]

    def task_for(self, client: str) -> Struct | None:
        """Return the final task, or a goodbye for a client whose report is recorded.

        One that failed has left; where it is back, it was started again and may have been mended.
        """
        if client not in self._unreported():
            return Goodbye(reason="the federation is complete")
        left = max(0.0, self.time_left())
        return FinishTask(round=self.round_number, model=self.model, deadline_seconds=left)

    def addressed(self, clients: Collection[str]) -> None:
        """Ignore who was addressed: every client is until it has reported."""

    def answer(self, client: str, message: UpdateOffer | FinalReport | Failure) -> None:
        """Record a report, then let the client go; an update that comes now is answered with the final task."""
        if client not in {row.client for row in self.store.clients()}:
            return  # it never said hello; it will be told what to do once it has
        if isinstance(message, Failure) and message.client == client and message.round == self.round_number:
            self.store.record_failure(client, round_number=message.round, reason=message.reason)
            self.exchange.send(client, "cmd", Goodbye(reason="the failure is recorded"))
            return
        if not isinstance(message, FinalReport) or message.client != client or message.round != self.round_number:
            task = self.task_for(client)
            if task is not None:
                self.exchange.send(client, "cmd", task)
            return
        self.store.record_report(
            ReportRow(
                client=client,
                round_number=message.round,
                figures=message.figures,
                onnx=message.onnx,
                head_note=message.head_note,
            )
        )
        self.exchange.send(client, "cmd", Goodbye(reason="the federation is complete"))

    def arrived(self, client: str, blob: str) -> None:
        """Ignore blobs: nothing is pulled in this phase."""

    def done(self) -> bool:
        """Tell whether every known client has reported or failed."""
        return not self.missing()
