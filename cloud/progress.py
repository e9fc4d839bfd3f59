"""What the coordinator tells its operator while it works: one line per thing that happened."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cloud.plan import RoundPlan
from cloud.store.rows import ReportRow, RoundResult
from shared.output import note


@dataclass(slots=True)
class Progress:
    """Lines on stderr, with the time left as soon as one round tells how long a round takes.

    Attributes:
        rounds: Rounds planned in all.
    """

    rounds: int
    _durations: list[float] = field(default_factory=list)
    _online: set[str] = field(default_factory=set)

    def _say(self, line: str) -> None:
        note(f"{time.strftime('%H:%M:%S')} {line}")

    def joining(self, wanted: int) -> None:
        """Tell that clients are waited for."""
        self._say(f"waiting for {wanted} clients")

    def client_seen(self, client: str, *, online: bool, is_new: bool) -> None:
        """Tell who came and who went; a repeated greeting is no news."""
        if online != (client in self._online):
            self._say(f"{client} {'joined' if is_new else 'is back' if online else 'is offline'}")
        self._online = self._online | {client} if online else self._online - {client}

    def round_opened(self, plan: RoundPlan) -> None:
        """Tell who was selected."""
        self._say(f"round {plan.round_number}/{self.rounds}: {len(plan.participants)} clients selected")

    def round_committed(self, plan: RoundPlan, result: RoundResult, missing: Sequence[str]) -> None:
        """Tell what a round gave, who was missing, and how long the rest will take."""
        self._durations.append(result.seconds)
        came = len(plan.participants) - len(missing)
        parts = [f"round {plan.round_number}/{self.rounds}: {came} of {len(plan.participants)} updates"]
        if result.evaluation is not None:
            parts.append(f"generic {100 * result.evaluation.accuracy:.1f} %")
        parts.append(f"{result.seconds:.1f} s")
        left = (self.rounds - plan.round_number) * sum(self._durations) / len(self._durations)
        if left:
            parts.append(f"about {left:.0f} s left")
        self._say(", ".join(parts) + (f"; closed without {', '.join(missing)}" if missing else ""))

    def exported(self, path: str | None) -> None:
        """Tell where the generic model is."""
        self._say("no generic model: the method shares a backbone only" if path is None else f"generic model: {path}")

    def finishing(self, clients: int) -> None:
        """Tell that final reports are waited for."""
        self._say(f"training is over; waiting for {clients} personal models")

    def complete(self, reports: Sequence[ReportRow], but: Sequence[str]) -> None:
        """Tell how the federation ended, and what is wanting, in words."""
        personal = [report.figures.personal for report in reports if report.figures.personal is not None]
        mean = f", mean personal accuracy {100 * sum(personal) / len(personal):.1f} %" if personal else ""
        self._say(f"complete: {len(reports)} reports{mean}" + "".join(f"; {part}" for part in but))
