"""When the round's model goes to everybody at once instead of to each alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from shared.exchange import Exchange
from shared.messages import FinishTask, TrainTask

MIN_RECEIVERS: Final = 3
"""Fewer are answered one by one: a broadcast then saves too little to be heard by all."""

MIN_SHARE: Final = 0.5
"""Share of the clients online that must want the model: everybody hears a broadcast, and pays for the bytes."""


@dataclass(slots=True)
class Broadcasting:
    """Begins one broadcast per model, and marks the tasks it covers; what it leaves out is pulled.

    Attributes:
        exchange: Where chunks are sent.
    """

    exchange: Exchange
    _last: str = ""

    def cover(self, tasks: Mapping[str, Struct], *, online: int) -> dict[str, Struct]:
        """Return the tasks, those whose model is on the air told to listen first.

        Args:
            tasks: What is about to be said to whom.
            online: How many clients would hear a broadcast.
        """
        wanted = [task for task in tasks.values() if isinstance(task, TrainTask | FinishTask)]
        if not self.exchange.serving.broadcasts or not wanted:
            return dict(tasks)
        blob = wanted[0].model.blob
        if blob != self._last and len(wanted) >= max(MIN_RECEIVERS, MIN_SHARE * online):
            self._last = blob
            self.exchange.serving.broadcast(blob)
        if not self.exchange.serving.broadcasting(blob):
            return dict(tasks)
        return {client: _listening(task, blob) for client, task in tasks.items()}


def _listening(task: Struct, blob: str) -> Struct:
    if isinstance(task, TrainTask | FinishTask) and task.model.blob == blob:
        return msgspec.structs.replace(task, wave=True)
    return task
