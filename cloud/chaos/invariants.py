"""What no fault may change, judged by comparing a disturbed run with an undisturbed one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloud.chaos.profiles import Profile
from cloud.store.rows import ReportRow, RoundRow

MAX_WASTE: Final = 0.05
"""Bytes delivered beyond those of the undisturbed run, over them: what a cut destroyed was never delivered."""

PERSONAL: Final = "personal.onnx"
"""The personal model in an agent's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run left.

    Attributes:
        rounds: As recorded.
        reports: As recorded.
        clients: Who took part.
        states: Each client's folder.
        ended: All processes ended by themselves, in time and well.
        seconds: From the first process to the last.
        delivered_to_clients: Bytes the proxy handed to coordinator and agents, in whole packets.
        destroyed: Bytes the proxy took in and did not hand on in whole packets.
        cuts: Connections that were cut.
    """

    rounds: tuple[RoundRow, ...]
    reports: tuple[ReportRow, ...]
    clients: tuple[str, ...]
    states: Mapping[str, Path]
    ended: bool
    seconds: float
    delivered_to_clients: int
    destroyed: int
    cuts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One claim, and whether it held."""

    id: str
    claim: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosReport:
    """What came of a chaos run.

    Attributes:
        profile: The fault.
        invariants: All of them.
        figures: Bytes, cuts and seconds of both runs.
        folder: Everything both runs left, logs included.
    """

    profile: Profile
    invariants: tuple[Invariant, ...]
    figures: Mapping[str, float]
    folder: Path

    @property
    def held(self) -> bool:
        """Tell whether all invariants held."""
        return all(invariant.held for invariant in self.invariants)

    def as_data(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {
            "profile": self.profile.name,
            "meaning": self.profile.meaning,
            "held": self.held,
            "invariants": [
                {"id": one.id, "claim": one.claim, "held": one.held, "detail": one.detail} for one in self.invariants
            ],
            "figures": dict(self.figures),
            "folder": str(self.folder),
        }


def judge(profile: Profile, calm: Run, disturbed: Run, *, folder: Path) -> ChaosReport:
    """Compare two runs of the same federation.

    Args:
        profile: What disturbed the second.
        calm: The undisturbed run.
        disturbed: The other.
        folder: Where both are.
    """
    waste = max(0, disturbed.delivered_to_clients - calm.delivered_to_clients) / max(1, calm.delivered_to_clients)
    numbers = [row.plan.round_number for row in disturbed.rounds if row.state == "committed"]
    invariants = (
        _claim("ended", "every process ended by itself, in time", disturbed.ended, f"{disturbed.seconds:.0f} s"),
        _claim(
            "committed-once",
            "every round is committed, once",
            numbers == [row.plan.round_number for row in calm.rounds],
            f"{len(numbers)} of {len(calm.rounds)}",
        ),
        _claim(
            "nobody-missing",
            "every selected client's update was accepted",
            _accepted(disturbed) == _accepted(calm),
            f"{sum(map(len, _accepted(disturbed)))} updates",
        ),
        _claim(
            "same-models",
            "the shared model of every round has the same digest",
            _models(disturbed) == _models(calm),
            (_models(disturbed) or ("none",))[-1][:16],
        ),
        _claim(
            "same-personal-models",
            "every client's ONNX file has the same bytes, those it reported",
            _personal(disturbed) == _personal(calm) == _reported(disturbed),
            f"{len(_personal(disturbed))} files",
        ),
        _claim(
            "no-waste",
            f"at most {MAX_WASTE:.0%} more bytes arrived than undisturbed",
            waste <= MAX_WASTE,
            f"{waste:.1%}, and {disturbed.destroyed} bytes destroyed by {disturbed.cuts} cuts",
        ),
    )
    figures = {
        "seconds": disturbed.seconds,
        "seconds_undisturbed": calm.seconds,
        "bytes_delivered": disturbed.delivered_to_clients,
        "bytes_delivered_undisturbed": calm.delivered_to_clients,
        "bytes_destroyed": disturbed.destroyed,
        "cuts": disturbed.cuts,
        "waste": waste,
    }
    return ChaosReport(profile=profile, invariants=invariants, figures=figures, folder=folder)


def _claim(identity: str, claim: str, held: bool, detail: str) -> Invariant:
    return Invariant(id=identity, claim=claim, held=held, detail=detail)


def _accepted(run: Run) -> list[list[str]]:
    return [[part.client for part in row.participants if part.state == "accepted"] for row in run.rounds]


def _models(run: Run) -> tuple[str, ...]:
    return tuple(row.result.blob for row in run.rounds if row.result is not None)


def _reported(run: Run) -> dict[str, str]:
    return {report.client: report.onnx for report in run.reports}


def _personal(run: Run) -> dict[str, str]:
    files = {client: run.states[client] / PERSONAL for client in run.clients}
    return {client: hashlib.sha256(path.read_bytes()).hexdigest() for client, path in files.items() if path.exists()}
