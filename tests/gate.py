"""A device that begins to train when the test lets it."""

import threading
from collections.abc import Callable
from typing import Any

from edge.journal import TrainedRound
from shared.messages import TrainTask
from tests.simulation import PATIENCE_SECONDS, QuietWork


class GatedWork(QuietWork):
    """Waits for its gate before every round's training."""

    gate: threading.Event

    def train(self, task: TrainTask) -> TrainedRound:
        """Train once the gate is open."""
        assert self.gate.wait(PATIENCE_SECONDS), f"nobody let {self.client} train"
        return super().train(task)


def behind(gate: threading.Event) -> Callable[..., GatedWork]:
    """Return what makes a device's work, for ``Simulation``."""

    def make(**arguments: Any) -> GatedWork:
        work = GatedWork(**arguments)
        work.gate = gate
        return work

    return make
