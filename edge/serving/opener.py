"""Opens graphs on the device that was chosen once, by measuring the first graph on all that could take it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.serving.graph import Graph
from edge.serving.providers import Device, available, candidates, fastest, open_on

ANY_SIZE: Final = 64
"""Pixels of the image that a graph for images of any size is measured on."""

NUMPY: Final = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class Opener:
    """Where graphs run.

    Args:
        asked: "auto", "cpu", "cuda" or "tensorrt".
        threads: Threads within one operator.
    """

    def __init__(self, asked: str, *, threads: int) -> None:
        self._devices = candidates(asked, there=available())
        self._threads = threads
        self.device: Device | None = self._devices[0] if len(self._devices) == 1 else None

    def open(self, payload: bytes, external: Mapping[str, bytes]) -> Graph:
        """Open a graph; the first one decides the device.

        Raises:
            ExportError: The runtime refuses it.
        """
        if self.device is None:
            self.device = fastest(self._devices, lambda device: self._call_on(device, payload, external))
        return self._open_on(self.device, payload, external)

    def _open_on(self, device: Device, payload: bytes, external: Mapping[str, bytes]) -> Graph:
        session = open_on(device, payload, threads=self._threads, external=external)
        return Graph(session, memory=None if device == "cpu" else "cuda")

    def _call_on(self, device: Device, payload: bytes, external: Mapping[str, bytes]) -> Callable[[], object]:
        session = open_on(device, payload, threads=self._threads, external=external)
        graph, example = Graph(session, memory=None if device == "cpu" else "cuda"), _example(session)
        return lambda: graph.run(example)


def _example(session: Any) -> NDArray[Any]:
    """Return zeros that a session takes: one image, of ``ANY_SIZE`` where the size is free."""
    described = session.get_inputs()[0]
    first, *rest = described.shape
    shape = [first if isinstance(first, int) else 1, *(part if isinstance(part, int) else ANY_SIZE for part in rest)]
    return np.zeros(shape, NUMPY[described.type])
