"""One graph on one device; on a GPU its results can stay there for the next graph to read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.runtime import load_runtime, refusals
from shared.errors import ExportError


class Graph:
    """A session with one input.

    Args:
        session: Opened; calls from several threads do not disturb each other.
        memory: ONNX Runtime's name of the device's memory, such as "cuda"; None calls without IO binding, which on the
            CPU would only copy.
    """

    def __init__(self, session: Any, *, memory: str | None = None) -> None:
        self._session, self._memory = session, memory
        self._input = session.get_inputs()[0].name
        self.outputs: tuple[str, ...] = tuple(output.name for output in session.get_outputs())
        first = session.get_inputs()[0].shape[0]
        self.batch: int | None = first if isinstance(first, int) else None
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)

    def run(self, value: Any) -> list[NDArray[Any]]:
        """Return the outputs as arrays.

        Args:
            value: The input as an array, or as another graph's ``run_on_device`` gave it.

        Raises:
            ExportError: The runtime refuses the input.
        """
        if self._memory is None:
            refused: tuple[type[Exception], ...] = (*refusals(), ValueError)
            try:
                outputs: list[NDArray[Any]] = self._session.run(None, {self._input: value})
            except refused as cause:
                raise _refused(cause) from cause
            return outputs
        return [output.numpy() for output in self._bound(value, "cpu")]

    def run_on_device(self, value: Any) -> Any:
        """Return the first output where it was computed: an array on the CPU, else a value in the device's memory.

        Raises:
            ExportError: The runtime refuses the input.
        """
        return self.run(value)[0] if self._memory is None else self._bound(value, self._memory)[0]

    def _bound(self, value: Any, to: str) -> list[Any]:
        ort = load_runtime()
        refused: tuple[type[Exception], ...] = (*refusals(), ValueError)
        try:
            if isinstance(value, np.ndarray):
                value = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), self._memory, 0)
            binding = self._session.io_binding()
            binding.bind_ortvalue_input(self._input, value)
            for name in self.outputs:
                binding.bind_output(name, to)
            self._session.run_with_iobinding(binding)
        except refused as cause:
            raise _refused(cause) from cause
        outputs: list[Any] = binding.get_outputs()
        return outputs


def _refused(cause: Exception) -> ExportError:
    return ExportError(f"ONNX Runtime refuses the input: {str(cause).splitlines()[0]}")
