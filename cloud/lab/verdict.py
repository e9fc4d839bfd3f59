"""What a replay comes to: the same model as on record, or the first round that differs and what may be behind it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cloud.lab.recording import Recording, read_recording
from cloud.lab.replay import ReplayedRound, accepted_in, replay, unheard
from shared.output import console, note


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A replay that went as far as it could.

    Attributes:
        recording: What was replayed.
        rounds: Round 0 and those after it, up to the first that differs.
    """

    recording: Recording
    rounds: tuple[ReplayedRound, ...]

    @property
    def first_difference(self) -> ReplayedRound | None:
        """The first round whose model is not the recorded one."""
        return None if self.rounds[-1].same else self.rounds[-1]

    def plain(self) -> dict[str, Any]:
        """Return the verdict made of JSON's types."""
        odd = self.first_difference
        return {
            "federation": self.recording.settings.federation,
            "same": odd is None,
            "first_difference": None if odd is None else odd.round,
            "global_digest": self.rounds[-1].replayed,
            "recorded_digest": self.rounds[-1].recorded,
            "rounds_committed": len(self.recording.rounds),
            "rounds": [{**msgspec.to_builtins(row), "same": row.same} for row in self.rounds],
        }

    def words(self) -> str:
        """Return the verdict in one line."""
        odd, name, committed = self.first_difference, self.recording.settings.federation, len(self.recording.rounds)
        if odd is None:
            rounds = "1 round" if committed == 1 else f"{committed} rounds"
            return f"{name}: {rounds} replayed, the same global_digest {self.rounds[-1].replayed}"
        if odd.round == 0:
            return f"{name}: the initial model differs: {odd.replayed[:12]} instead of {odd.recorded[:12]}"
        clients = f"; updates that differ: {', '.join(odd.differing)}" if odd.differing else ""
        return f"{name}: round {odd.round} differs: {odd.replayed[:12]} instead of {odd.recorded[:12]}{clients}"

    def remedy(self) -> str:
        """Return what can be behind a difference."""
        silent = [] if self.first_difference is None else unheard(self.recording, self.first_difference.round)
        if silent:
            return (
                f"{', '.join(silent)} may have trained rounds that no update came from: what that left on the device "
                "is not on record, and this method's updates lean on it"
            )
        return (
            "replay with the same images, package versions, processor type and OMP_NUM_THREADS; rounds trained on CUDA "
            "do not replay bit for bit"
        )


def replay_shown(source: Path, images: Path | None) -> Verdict:
    """Replay with a bar and the time left on a terminal, a line a round elsewhere.

    Raises:
        FedlogeError: As ``read_recording`` and ``replay``.
    """
    recording = read_recording(source, images)
    last = recording.rounds[-1].plan.round_number
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = console(stderr=True)  # a bar that is not shown would still leave an empty line behind
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("updates", total=sum(len(accepted_in(row)) for row in recording.rounds))

        def told(client: str, row: ReplayedRound | None) -> None:
            if row is None:
                bar.update(task, advance=1, description=client)
            elif not bar.console.is_terminal:
                note(f"round {row.round}/{last}: {'the same' if row.same else 'differs'}")

        return Verdict(recording=recording, rounds=replay(recording, told))
