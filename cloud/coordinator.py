"""The coordinator: plan -> announce -> collect until complete or deadline -> commit; it resumes where it died."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from cloud.aggregate import WeightedMean
from cloud.attendance import Attendance
from cloud.broadcasting import Broadcasting
from cloud.collecting import Collecting
from cloud.evaluation import GenericEvaluator
from cloud.finishing import Finishing
from cloud.joining import Joining
from cloud.phase import Phase
from cloud.plan import RoundPlan
from cloud.planning import plan_round
from cloud.progress import Progress
from cloud.release import Release
from cloud.settings import FederationFile
from cloud.store.contract import RoundStore
from cloud.store.rows import RoundResult
from cloud.traffic import Ledger, Traffic
from shared.crash_points import passing
from shared.errors import MessageError, RoundError
from shared.exchange import Arrived, Event, Exchange, PullFailed, Received, Reconnected
from shared.messages import (
    CoordinatorPresence,
    Failure,
    FinalReport,
    Gone,
    ModelReport,
    Offer,
    Presence,
    UpdateOffer,
    decode_message,
    encode_message,
)
from shared.model import unpack
from shared.tensors import decode, encode
from shared.topics import coordinator_status

log = logging.getLogger(__name__)

RESEND_SECONDS = 10.0
"""A task is said again after this to a client that is online and has not answered: commands may be lost."""

FAREWELL_SECONDS = 5.0
"""Longest wait for agents to leave: one that misses its goodbye hears it at the next start of the coordinator."""


@dataclass(slots=True, kw_only=True)
class Coordinator:
    """One federation's loop.

    Attributes:
        settings: The federation file.
        store: Opened, started.
        exchange: Connected, outgoing "down".
        release: Writes what a committed round gives to export.
        evaluator: Measures the generic model, or None without images.
        session: Drawn anew at every start.
        progress: Told what happens.
        upkeep: Called at every turn of the loop: brings the embedded broker back when its process died.
        clock: Monotonic seconds.
    """

    settings: FederationFile
    store: RoundStore
    exchange: Exchange
    release: Release
    evaluator: GenericEvaluator | None
    session: str
    progress: Progress
    upkeep: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    _ledger: Ledger = field(init=False)
    _round: int = 0
    _broadcasting: Broadcasting = field(init=False)
    _attendance: Attendance = field(init=False)

    def run(self) -> None:
        """Run the federation to its end.

        Raises:
            RoundError: Nobody joined, or a round missed its quorum; starting again resumes it.
            ArtifactError: The disk is full.
            ExportError: The generic model was refused.
        """
        traffic = Traffic(self.exchange.transport, self.settings.federation)
        self._ledger = Ledger(traffic, self.store, self.clock)
        self._broadcasting = Broadcasting(self.exchange)
        self._attendance = Attendance(
            store=self.store,
            exchange=self.exchange,
            progress=self.progress,
            settings=self.settings.shared(),
            etf_blob=self.release.etf_blob,
        )
        self._announce_presence()
        if self.store.last_committed().round_number == 0 and self.store.open_round() is None:
            self._join()
            self._ledger.record(0)
        while (last := self.store.last_committed()).round_number < self.settings.rounds:
            self._run_round(last)
        self.release.write_bundle(last)
        self.progress.exported(self.release.export_generic(last, self.evaluator))
        self._finish(last)

    def _join(self) -> None:
        """Wait for the first clients."""
        wanted = self.settings.participation.clients
        seconds = self.settings.participation.join_deadline_seconds
        words = f"waits for {wanted} clients to join, {seconds:.0f} s at most"
        self.store.set_state("joining", words, reason="clients-to-join", seconds=seconds)
        self.progress.joining(wanted)
        if self._serve(Joining(self.store, wanted), self.clock() + seconds):
            return
        if not self.store.clients():
            raise RoundError(
                f"no client joined within {seconds:.0f} s",
                remedy="start agents with the printed line, then start again",
            )

    def _run_round(self, last: RoundResult) -> None:
        """Plan or resume one round, collect its updates, commit it."""
        started = self.clock()
        opened = self.store.open_round()
        plan = opened.plan if opened is not None else self._plan(last)
        end = started + plan.deadline_seconds
        base = self.exchange.blobs.get(plan.base_blob)
        collecting = Collecting(
            plan=plan,
            model=self.exchange.offer(plan.base_blob),
            like=decode(base),
            store=self.store,
            exchange=self.exchange,
            time_left=lambda: end - self.clock(),
            max_examples=self.settings.participation.max_examples,
            codec=self.settings.update.codec,
        )
        words = f"round {plan.round_number}: waits for updates, {plan.deadline_seconds:.0f} s at most"
        self.store.set_state("training", words, reason="updates", seconds=plan.deadline_seconds)
        self.progress.round_opened(plan)
        complete = self._serve(collecting, end, round_number=plan.round_number)
        accepted = collecting.accepted()
        if len(accepted) < plan.quorum:
            raise RoundError(
                f"round {plan.round_number} has {len(accepted)} of {len(plan.participants)} updates, its quorum is "
                f"{plan.quorum}; missing: {', '.join(collecting.waiting()) or 'none, the others were refused'}",
                remedy="see `fedloge cloud rounds`; bring the devices back, then start again: the round resumes",
            )
        reason = "deadline" if not complete else "enough" if collecting.waiting() else "complete"
        self._commit(plan, collecting, reason, self.clock() - started)

    def _plan(self, last: RoundResult) -> RoundPlan:
        part = self.settings.participation
        plan = plan_round(
            round_number=last.round_number + 1,
            base_blob=last.blob,
            clients=[row.client for row in self.store.clients()],
            seed=self.settings.seed,
            fraction=part.fraction,
            quorum=part.quorum,
            deadline_seconds=part.round_deadline_seconds,
            over_selection=part.over_selection,
        )
        self.exchange.clear_spool()
        self.store.begin(plan)
        return plan

    def _commit(self, plan: RoundPlan, collecting: Collecting, reason: str, seconds: float) -> None:
        """Fold the updates in client order, and record the new model together with the round."""
        mean = WeightedMean(collecting.like)
        for record in collecting.accepted():
            mean.fold(collecting.tensors(record.blob or ""), record.num_examples)
        tensors = mean.result()
        evaluation = None if self.evaluator is None else self.evaluator.evaluate(unpack(tensors))
        up, down = self._ledger.take()
        result = RoundResult(
            round_number=plan.round_number,
            blob=self.exchange.blobs.put(encode(tensors)),
            reason=reason,
            evaluation=evaluation,
            bytes_up=up,
            bytes_down=down,
            seconds=seconds,
        )
        missing = collecting.waiting()
        self.store.commit(result)
        self.release.write_bundle(result)
        self.exchange.withdraw(plan.base_blob)
        for record in collecting.accepted():
            self.exchange.spool.discard(record.blob or "")
        self.exchange.abandon()
        self.progress.round_committed(plan, result, missing)

    def _finish(self, last: RoundResult) -> None:
        """Have every client make its personal model, and collect the reports."""
        seconds = self.settings.participation.report_deadline_seconds
        end = self.clock() + seconds
        words = f"waits for the clients' final reports, {seconds:.0f} s at most"
        self.store.set_state("finishing", words, reason="final-reports", seconds=seconds)
        finishing = Finishing(
            round_number=last.round_number,
            model=self.exchange.offer(last.blob),
            store=self.store,
            exchange=self.exchange,
            time_left=lambda: end - self.clock(),
        )
        self.progress.finishing(len(finishing.missing()))
        self._serve(finishing, end)
        self._farewell(finishing)
        self._ledger.record(0)
        self.store.set_state("complete", "; ".join(["complete", *finishing.wanting()]), reason="nothing")
        self.progress.complete(self.store.reports(), finishing.wanting())

    def _farewell(self, finishing: Finishing) -> None:
        """Stay until every agent that reported has heard its goodbye and left: the broker may end with this process.

        After a restart nobody has left yet: an agent whose report is on record may still wait for its goodbye.
        """
        end = self.clock() + FAREWELL_SECONDS
        reported = {row.client for row in self.store.clients()}.difference(finishing.missing())
        while not self._attendance.have_left(reported) and (now := self.clock()) < end:
            self._address(finishing, now)
            event = self.exchange.poll(min(1.0, end - now))
            if event is not None:
                self._handle(finishing, event)

    def _serve(self, phase: Phase, end: float, *, round_number: int = 0) -> bool:
        """Feed a phase until it is done (True) or its deadline has passed (False); its bytes are the round's."""
        self._round = round_number
        self._attendance.forget_addressed()  # everybody hears of the new phase at once
        while not phase.done():
            now = self.clock()
            if now >= end:
                return False
            self.upkeep()
            self._ledger.tick(round_number)
            self._address(phase, now)
            event = self.exchange.poll(min(1.0, end - now))
            if event is not None:
                self._handle(phase, event)
        return True

    def _address(self, phase: Phase, now: float) -> None:
        """Tell every client that is online what it should do, again after a while without an answer."""
        due = self._attendance.due(now, after_seconds=RESEND_SECONDS)
        tasks = {client: task for client in due if (task := phase.task_for(client)) is not None}
        for client, task in self._broadcasting.cover(tasks, online=len(self._attendance)).items():
            self.exchange.send(client, "cmd", task)
        phase.addressed(tasks.keys())

    def _handle(self, phase: Phase, event: Event) -> None:
        if isinstance(event, Reconnected):
            self._announce_presence()
        elif isinstance(event, Arrived):
            self._ledger.record(self._round)  # what is acknowledged is counted, also if this process dies next
            phase.arrived(event.client, event.blob)
        elif isinstance(event, PullFailed):
            log.warning("gave up the update of %s: %s", event.client, event.reason)
        elif isinstance(event, Received):
            try:
                self._read(phase, event)
            except MessageError as error:  # a peer that breaks the protocol stops nobody
                log.warning("dropped a message of %s: %s", event.client, error)
        else:
            assert_never(event)

    def _read(self, phase: Phase, event: Received) -> None:
        if event.channel == "status":
            self._attendance.seen(decode_message(event.payload, Presence), event.client)
        elif event.channel == "manifest":
            self._attendance.heard(event.client)
            message: Offer = decode_message(event.payload, Offer)  # type: ignore[arg-type]
            if isinstance(message, Gone):
                log.warning("%s no longer has blob %s", event.client, message.blob[:12])
                self.exchange.forget(message.blob, client=event.client)
            elif isinstance(message, ModelReport):
                self._register(event.client, message)
            elif isinstance(message, UpdateOffer | FinalReport | Failure):
                phase.answer(event.client, message)
            else:
                assert_never(message)

    def _register(self, client: str, report: ModelReport) -> None:
        """Record which model serves on a device that takes part; a stranger's word is not taken."""
        if report.client == client and self.store.knows(client):
            self.store.record_model(client, report.current)

    def _announce_presence(self) -> None:
        presence = CoordinatorPresence(state="up", session=self.session)
        topic = coordinator_status(self.settings.federation)
        passing("message.send", presence)
        self.exchange.transport.publish(topic, encode_message(presence), qos=1, retain=True)
        passing("message.sent", presence)
