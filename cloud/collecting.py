"""One round's updates: offered, checked, pulled, validated, recorded, receipted."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from torch import Tensor

from cloud.intake import check_offer, checked
from cloud.plan import RoundPlan
from cloud.store.contract import RoundStore
from cloud.store.rows import RoundRow, UpdateRecord
from shared.encoding import decode_update
from shared.errors import TransferError, UpdateRejectedError
from shared.exchange import Exchange
from shared.messages import Failure, FinalReport, Manifest, Receipt, TrainTask, UpdateOffer
from shared.settings import Codec

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Collecting:
    """An open round.

    Attributes:
        plan: Who takes part in what.
        model: Manifest of the round's shared tensors.
        like: Those tensors: what an update must look like.
        store: Where every update's fate is recorded before the client hears of it.
        exchange: Where updates are pulled from.
        time_left: Seconds until the round's deadline.
        max_examples: Largest weight an update may claim.
        codec: The federation's encoding of updates.
    """

    plan: RoundPlan
    model: Manifest
    like: Mapping[str, Tensor]
    store: RoundStore
    exchange: Exchange
    time_left: Callable[[], float]
    max_examples: int
    codec: Codec
    _offers: dict[str, UpdateOffer] = field(default_factory=dict)
    _waiting: set[str] = field(init=False)
    _came: int = 0
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Ask the store once who is waited for: a restart goes on where the round was."""
        parts = self._row().participants
        self._waiting = {part.client for part in parts if part.state == "waiting"}
        self._came = sum(part.state == "accepted" for part in parts)

    def task_for(self, client: str) -> Struct | None:
        """Return the training task for a participant whose update is still waited for."""
        if client not in self._waiting:
            return None
        left = max(0.0, self.time_left())
        return TrainTask(round=self.plan.round_number, model=self.model, deadline_seconds=left)

    def waiting(self) -> list[str]:
        """Return the participants whose update has not come, sorted."""
        return sorted(self._waiting)

    def accepted(self) -> list[UpdateRecord]:
        """Return the accepted updates in client order."""
        parts = self._row().participants
        records = [part.record for part in parts if part.state == "accepted" and part.record is not None]
        return sorted(records, key=lambda record: record.client)

    def done(self) -> bool:
        """Tell whether every participant's fate is settled, or as many updates came as were wanted."""
        return not self._waiting or 0 < self.plan.wanted <= self._came

    def addressed(self, clients: Collection[str]) -> None:
        """Record who was told, once, for the operator."""
        new = self._waiting.intersection(clients) - self._told - self._offers.keys()
        if new:
            self.store.record_stage(self.plan.round_number, new, "told")
            self._told |= new

    def answer(self, client: str, message: UpdateOffer | FinalReport | Failure) -> None:
        """Take an offer or a failure; anything else belongs to another phase."""
        if isinstance(message, Failure):
            self._record_failure(client, message)
        elif isinstance(message, UpdateOffer):
            self._consider(client, message)

    def tensors(self, blob: str) -> Iterator[tuple[str, Tensor]]:
        """Read an update's tensors from the spool, one at a time; the pull has checked its digest.

        Raises:
            TransferError: It is not encoded as it should be.
        """
        shapes = {name: tensor.shape for name, tensor in self.like.items()}
        return decode_update(self.exchange.spool.path(blob), self.codec, shapes=shapes)

    def _row(self) -> RoundRow:
        row = self.store.round(self.plan.round_number)
        if row is None:
            raise LookupError(f"round {self.plan.round_number} is not in the store")
        return row

    def _record_failure(self, client: str, failure: Failure) -> None:
        if failure.client != client or failure.round != self.plan.round_number or client not in self._waiting:
            return
        log.warning("%s cannot train round %d: %s", client, failure.round, failure.reason)
        self._settle(UpdateRecord(client=client, state="failed", reason=failure.reason))

    def _settle(self, record: UpdateRecord) -> None:
        """Record a participant's fate; from here on it is not waited for."""
        self.store.record_update(self.plan.round_number, record)
        self._waiting.discard(record.client)
        self._came += record.state == "accepted"

    def _consider(self, client: str, offer: UpdateOffer) -> None:
        """Pull a fitting offer; refuse and record any other."""
        if self._answer_known(client, offer):
            return
        try:
            check_offer(
                offer,
                sender=client,
                plan=self.plan,
                model_bytes=self.model.size,
                max_examples=self.max_examples,
                codec=self.codec,
            )
        except UpdateRejectedError as error:
            self._reject(client, offer, error)
            return
        earlier = self._offers.get(client)
        if earlier is not None and earlier.payload.blob != offer.payload.blob:
            self.exchange.abandon(client)  # a client has one update under way: more would fill the disk
        if earlier is None:
            self.store.record_stage(self.plan.round_number, [client], "offered")
        self._offers[client] = offer
        self.exchange.pull(client, offer.payload, timeout_seconds=max(0.0, self.time_left()))

    def _answer_known(self, client: str, offer: UpdateOffer) -> bool:
        """Repeat the receipt of an update whose fate is settled, in this round or an earlier one."""
        if offer.round == self.plan.round_number and client in self._waiting:
            return False  # as nearly always, and known without the store
        known = self.store.participant(offer.round, client) if offer.client == client else None
        if known is None or known[1].state == "waiting":
            return False
        state, part = known
        if part.state == "accepted" and part.record is not None and part.record.blob == offer.payload.blob:
            self._receipt(client, offer, accepted=True)
        elif state == "committed":
            late = UpdateRecord(client=client, state="late", reason="late: the round was closed", num_examples=0)
            self.store.record_update(offer.round, late)
            self._receipt(client, offer, accepted=False, reason=late.reason)
        else:
            reason = part.record.reason if part.record is not None else part.state
            self._receipt(client, offer, accepted=False, reason=reason)
        return True

    def arrived(self, client: str, blob: str) -> None:
        """Validate a pulled update; record its fate, then tell the client."""
        offer = self._offers.get(client)
        if offer is None or offer.payload.blob != blob:
            return
        del self._offers[client]
        try:
            for _ in checked(self.tensors(blob), like=self.like):
                pass
        except TransferError as error:
            self.exchange.spool.discard(blob)
            self._reject(client, offer, UpdateRejectedError("encoding", str(error)))
        except UpdateRejectedError as error:
            self.exchange.spool.discard(blob)  # the same bytes of another client were refused, too
            self._reject(client, offer, error)
        else:
            accepted = UpdateRecord(
                client=client,
                state="accepted",
                blob=blob,
                num_examples=offer.num_examples,
                size_bytes=offer.payload.size,
                figures=offer.figures,
            )
            self._settle(accepted)
            self._receipt(client, offer, accepted=True)

    def _reject(self, client: str, offer: UpdateOffer, error: UpdateRejectedError) -> None:
        """Record a refusal with its reason; the round goes on."""
        reason = f"{error.reason}: {error}"
        log.warning("refused the update of %s: %s", client, reason)
        if offer.round == self.plan.round_number and client in self.plan.participants and offer.client == client:
            self._settle(UpdateRecord(client=client, state="rejected", reason=reason))
        else:
            self.store.record_refusal(client, round_number=offer.round, reason=reason)
        self._receipt(client, offer, accepted=False, reason=reason)

    def _receipt(self, client: str, offer: UpdateOffer, *, accepted: bool, reason: str = "") -> None:
        receipt = Receipt(round=offer.round, blob=offer.payload.blob, accepted=accepted, reason=reason[:500])
        self.exchange.send(client, "cmd", receipt)
