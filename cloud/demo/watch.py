"""A running federation as its database shows it: each round once, as soon as all its figures are known."""

from collections.abc import Sequence
from statistics import fmean

from cloud.demo.display import Display
from cloud.result import RoundFigures
from cloud.store.contract import RoundStore
from cloud.store.rows import ReportRow, RoundResult, RoundRow
from shared.messages import ClientFigures


class Watcher:
    """Feeds a display from the database.

    A round's personal accuracy is what its successor's participants measured of the model they received, so a round is
    shown when the next one is committed, and the last one with the final reports.

    Args:
        store: Opened for reading.
        display: Where to show.
    """

    def __init__(self, store: RoundStore, display: Display) -> None:
        self._store = store
        self._display = display
        self._shown = 0
        self._stage = ""

    def look(self) -> None:
        """Show what is new."""
        federation = self._store.federation()
        if federation is None:
            return
        # While it trains, each round has a line of its own.
        self._say("training" if federation.state == "training" else federation.waiting_for)
        reports = self._store.reports()
        if len(reports) < len(self._store.clients()):
            reports = []  # a mean over the first few clients would be shown as the mean
        for figures in history(self._store.rounds(), reports)[self._shown :]:
            if federation.state != "complete" and figures.pm_mean is None:
                return
            self._display.round_done(figures)
            self._shown += 1

    def _say(self, stage: str) -> None:
        if stage != self._stage:
            self._stage = stage
            self._display.stage(stage)


def history(rounds: Sequence[RoundRow], reports: Sequence[ReportRow]) -> tuple[RoundFigures, ...]:
    """Return the figures of round 0 and of every committed round, in order.

    Args:
        rounds: All rounds from 1 on.
        reports: The final reports: they measure the last round's model.
    """
    committed = [row for row in rounds if row.result is not None]
    measured = [_figures(row) for row in committed]
    if reports and reports[0].round_number == len(committed):
        measured.append([report.figures for report in reports])
    measured += [[]] * (len(committed) + 1 - len(measured))
    first = _round_figures(RoundResult(round_number=0, blob="", reason="initial"), None, measured[0])
    return (
        first,
        *(
            _round_figures(row.result, row, figures)
            for row, figures in zip(committed, measured[1:], strict=True)
            if row.result is not None
        ),
    )


def _figures(row: RoundRow) -> list[ClientFigures]:
    records = [part.record for part in row.participants if part.state == "accepted" and part.record is not None]
    return [record.figures for record in records if record.figures is not None]


def _round_figures(result: RoundResult, row: RoundRow | None, measured: Sequence[ClientFigures]) -> RoundFigures:
    personal = [figures.personal for figures in measured if figures.personal is not None]
    generic = [figures.generic for figures in measured if figures.generic is not None]
    parts = () if row is None else row.participants
    return RoundFigures(
        round=result.round_number,
        gm=None if result.evaluation is None else result.evaluation.accuracy,
        pm_mean=fmean(personal) if personal else None,
        generic_mean=fmean(generic) if generic else None,
        accepted=sum(part.state == "accepted" for part in parts),
        selected=len(parts),
        missing=tuple(part.client for part in parts if part.state != "accepted"),
        bytes_up=sum(result.bytes_up.values()),
        bytes_down=sum(result.bytes_down.values()),
        seconds=result.seconds,
    )
