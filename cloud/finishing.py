"""The phase after the last round: every client makes its personal model and reports what it is worth."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from msgspec import Struct

from cloud.store.contract import RoundStore
from cloud.store.registry import FailureRow
from cloud.store.rows import ReportRow
from shared.exchange import Exchange
from shared.messages import Failure, FinalReport, FinishTask, Goodbye, Manifest, UpdateOffer

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
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
    _heard: set[str] = field(init=False)
    _expected: int = field(init=False)

    def __post_init__(self) -> None:
        """Ask the store once who was heard: a restart goes on where the end was."""
        self._expected = len(self.store.clients())
        self._heard = {report.client for report in self.store.reports() if report.round_number == self.round_number}
        self._heard |= {failure.client for failure in self.failed()}

    def missing(self) -> list[str]:
        """Return the clients that have neither reported on the final model nor said that they cannot, sorted."""
        return [row.client for row in self.store.clients() if row.client not in self._heard]

    def failed(self) -> list[FailureRow]:
        """Return the clients that could not make their personal model, sorted by client."""
        return [failure for failure in self.store.failures() if failure.round_number == self.round_number]

    def wanting(self) -> list[str]:
        """Return what is not as it should be at the end, in words; nothing where every client has reported."""
        missing, failed = self.missing(), [failure.client for failure in self.failed()]
        return [
            *([f"no report from {', '.join(missing)}"] if missing else []),
            *([f"no new model on {', '.join(failed)}"] if failed else []),
        ]

    def task_for(self, client: str) -> Struct | None:
        """Return the final task, or a goodbye for a client that was heard."""
        if client in self._heard:
            return Goodbye(reason="the federation is complete")
        left = max(0.0, self.time_left())
        return FinishTask(round=self.round_number, model=self.model, deadline_seconds=left)

    def addressed(self, clients: Collection[str]) -> None:
        """Ignore who was addressed: every client is until it has reported."""

    def answer(self, client: str, message: UpdateOffer | FinalReport | Failure) -> None:
        """Record a report or a failure, then let the client go; an update is answered with the final task."""
        if not self.store.knows(client):
            return  # it never said hello; it will be told what to do once it has
        if isinstance(message, UpdateOffer) or message.client != client or message.round != self.round_number:
            task = self.task_for(client)
            if task is not None:
                self.exchange.send(client, "cmd", task)
            return
        if message.current is not None:
            self.store.record_model(client, message.current)
        if isinstance(message, Failure):
            log.warning("%s has no new model: %s", client, message.reason)
            self.store.record_failure(FailureRow(client=client, round_number=message.round, reason=message.reason))
        else:
            self._record(message)
        self._heard.add(client)
        self.exchange.send(client, "cmd", Goodbye(reason="the federation is complete"))

    def _record(self, report: FinalReport) -> None:
        self.store.record_report(
            ReportRow(
                client=report.client,
                round_number=report.round,
                figures=report.figures,
                onnx=report.onnx,
                head_note=report.head_note,
            )
        )

    def arrived(self, client: str, blob: str) -> None:
        """Ignore blobs: nothing is pulled in this phase."""

    def done(self) -> bool:
        """Tell whether every known client was heard; the store is asked only when there may be nobody left."""
        return len(self._heard) >= self._expected and not self.missing()
