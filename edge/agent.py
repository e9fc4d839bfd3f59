"""The agent's loop: receive -> train -> record -> offer -> wait for the receipt; at the end realign, export, report.

Every step can be repeated without harm. What was trained is on disk before it is offered, a task that comes twice is
answered from the journal, and whatever is not answered is said again.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from edge.work import Work
from shared.errors import BrokerError, ExportError, GateRefusedError, MessageError
from shared.exchange import Arrived, Event, Exchange, PullFailed, Received, Reconnected
from shared.messages import (
    Command,
    CoordinatorPresence,
    Failure,
    FinalReport,
    FinishTask,
    Gone,
    Goodbye,
    ModelReport,
    Presence,
    Receipt,
    TrainTask,
    UpdateOffer,
    Welcome,
    decode_message,
)

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""Without anything to do or to be answered for this long, an agent says again that it is here: the coordinator may have
missed it. Shorter costs messages, longer leaves a device out of a round that waits for it."""

RESEND_SECONDS = 10.0
"""An unanswered offer, report or greeting is said again after this: a lost message costs seconds, not a round."""

PULL_SECONDS = 3600.0
"""A blob that does not arrive in an hour is given up, a model at its round's deadline if that comes before."""


@dataclass(slots=True)
class _Pending:
    """What the agent last said and has no answer to yet."""

    message: Presence | UpdateOffer | FinalReport | Failure
    said_at: float


@dataclass(slots=True)
class Agent:
    """One client's loop.

    Attributes:
        client: Its id.
        exchange: Connected, outgoing "up".
        work: What the device does with a task; holds the images and the journal.
        session: Drawn anew at every start.
        patience_seconds: Give up when the coordinator was silent for this long.
        clock: Monotonic seconds.
    """

    client: str
    exchange: Exchange
    work: Work
    session: str
    patience_seconds: float
    clock: Callable[[], float] = time.monotonic
    _task: TrainTask | FinishTask | None = None
    _pending: _Pending | None = None
    _coordinator: str = ""
    _heard_at: float = field(default=0.0)
    _greeted_at: float = field(default=0.0)
    _refused: ExportError | None = None
    _failure: Failure | None = None

    def run(self) -> str:
        """Serve until the coordinator says goodbye; return its words.

        Raises:
            BrokerError: The coordinator was silent for ``patience_seconds``.
            DataError: The images do not fit the federation.
            ArtifactError: The disk is full.
            ExportError: The personal model was refused, and the coordinator has heard of it.
        """
        self.begin()
        while True:
            goodbye = self.step(1.0)
            if goodbye is not None:
                if self._refused is not None:
                    raise self._refused
                return goodbye.reason

    def begin(self) -> None:
        """Say hello; ``step`` does the rest."""
        self._heard_at = self.clock()
        self._greet()

    def step(self, timeout_seconds: float) -> Goodbye | None:
        """Wait for one event and do what it asks; return the coordinator's goodbye when it has come.

        Raises:
            FedlogeError: As ``run``.
        """
        event = self.exchange.poll(timeout_seconds)
        if event is None:
            self._repeat()
            return None
        return self._handle(event)

    def _repeat(self) -> None:
        """Say again what was not answered, and give up when nobody answers for too long."""
        now = self.clock()
        if now - self._heard_at > self.patience_seconds:
            raise BrokerError(
                f"no word from the coordinator for {self.patience_seconds:.0f} s",
                remedy="start the coordinator, then this agent again: nothing is lost",
            )
        if self._pending is not None and now - self._pending.said_at > RESEND_SECONDS:
            self._say(self._pending.message)
        elif (
            self._pending is None and self._task is None and now - max(self._heard_at, self._greeted_at) > IDLE_SECONDS
        ):
            self._greet()

    def _say(self, message: Presence | UpdateOffer | FinalReport | Failure) -> None:
        """Send a message and remember it until it is answered."""
        self._pending = _Pending(message, self.clock())
        self.exchange.send(self.client, "status" if isinstance(message, Presence) else "manifest", message)

    def _greet(self) -> None:
        self._greeted_at = self.clock()
        self._say(Presence(client=self.client, state="online", session=self.session))

    def _handle(self, event: Event) -> Goodbye | None:
        if isinstance(event, Reconnected):
            log.info("connected again")
            self._greet()
        elif isinstance(event, Arrived):
            self._proceed()
        elif isinstance(event, PullFailed):
            log.warning("gave up blob %s: %s", event.blob[:12], event.reason)
            self._task = None
        elif isinstance(event, Received):
            try:
                message = self._read(event)
            except MessageError as error:  # bytes that break the protocol stop nobody
                log.warning("dropped a message: %s", error)
            else:
                return self._obey(message)
        else:
            assert_never(event)
        return None

    def _read(self, event: Received) -> CoordinatorPresence | Command | None:
        if event.channel == "status":
            return decode_message(event.payload, CoordinatorPresence)
        if event.channel == "cmd":
            return decode_message(event.payload, Command)  # type: ignore[arg-type]
        return None

    def _coordinator_seen(self, presence: CoordinatorPresence) -> None:
        """Greet a coordinator that was started anew: it may not know who is there."""
        if presence.state == "up" and presence.session != self._coordinator:
            self._coordinator = presence.session
            self.exchange.returned(self.client)
            self._greet()

    def _obey(self, command: CoordinatorPresence | Command | None) -> Goodbye | None:
        """Do what one command says."""
        self._heard_at = self.clock()
        if isinstance(command, CoordinatorPresence):
            self._coordinator_seen(command)
        elif isinstance(command, Welcome):
            self._welcome(command)
        elif isinstance(command, TrainTask | FinishTask):
            self._task, self._pending = command, None
            self.exchange.abandon(keep=self.work.wanted(command.model.blob))  # a model of a round that is over
            self._proceed()
        elif isinstance(command, Receipt):
            self.work.settle(command)
            self._pending = None
        elif isinstance(command, Gone):
            log.warning("blob %s is gone: waiting for the next task", command.blob[:12])
            self.exchange.forget(command.blob)
            self._task = None
        elif isinstance(command, Goodbye):
            return command
        return None

    def _welcome(self, welcome: Welcome) -> None:
        """Learn the federation's settings, say that the images fit them, and fetch the frozen classifier."""
        self._pending = None
        self.work.learn(welcome.settings, etf_blob=welcome.etf.blob)
        self.exchange.send(self.client, "status", Presence(client=self.client, state="ready", session=self.session))
        serving = self.work.serving()
        if serving is not None:
            self.exchange.send(self.client, "manifest", ModelReport(client=self.client, current=serving))
        if welcome.etf.blob not in self.exchange.blobs:
            self.exchange.pull(self.client, welcome.etf, timeout_seconds=PULL_SECONDS)

    def _proceed(self) -> None:
        """Do the task as soon as everything it needs is on disk."""
        task = self._task
        if task is None:
            return
        if task.model.blob not in self.exchange.blobs:  # at once, also where the classifier is still on its way
            seconds = min(PULL_SECONDS, task.deadline_seconds)
            self.exchange.pull(self.client, task.model, timeout_seconds=seconds, wave=task.wave)
            return
        if not self.work.ready():
            return
        self._task = None
        if isinstance(task, TrainTask):
            trained = self.work.train(task)
            payload = self.exchange.offer(trained.update_blob, codec=self.work.codec)
            self._say(self.work.offer(trained, payload))
        else:
            self._say(self._finish(task))

    def _finish(self, task: FinishTask) -> FinalReport | Failure:
        """Make the personal model; a refusal is reported, so that nobody waits for it until the deadline."""
        if self._failure is not None and self._failure.round == task.round:
            return self._failure  # the task came twice: the same images would say the same again
        try:
            return self.work.finish(task)
        except ExportError as error:
            log.warning("no new personal model: %s", error)
            self._refused = error
            worse = "the new model is worse on this device than the one that serves, which goes on serving"
            broken = "the new model could not be exported: see this agent's log"
            self._failure = Failure(
                client=self.client,
                round=task.round,
                reason=worse if isinstance(error, GateRefusedError) else broken,
                current=self.work.serving(),
            )
            return self._failure
