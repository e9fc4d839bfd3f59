"""Where a model runs: what this machine has, what was asked for, and what was measured to answer first."""

import ctypes
import logging
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from export.runtime import ERRORS_ONLY, cuda_loads, load_runtime, refusals
from shared.errors import ExportError, SettingsError

log = logging.getLogger(__name__)

Device: TypeAlias = Literal["cpu", "cuda", "tensorrt"]

NAMES: Final[Mapping[Device, str]] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""ONNX Runtime's name of each, what is fastest where it works first."""

TENSORRT_LIBRARY: Final = "libnvinfer.so.10"

WARM_CALLS: Final = 3
"""Calls before the clock runs: the first ones choose kernels and grow the arena."""

TIMED_CALLS: Final = 9
"""Enough for a median that one disturbance does not move."""


def available() -> tuple[Device, ...]:
    """Return the devices this machine can run a model on, without a word where CUDA is absent.

    Raises:
        ExportError: ONNX Runtime is not installed.
    """
    ort = load_runtime()
    found: list[Device] = []
    if cuda_loads(ort):
        if NAMES["tensorrt"] in ort.get_available_providers() and _loads(TENSORRT_LIBRARY):
            found.append("tensorrt")
        found.append("cuda")
    return (*found, "cpu")


def candidates(asked: str, *, there: tuple[Device, ...]) -> tuple[Device, ...]:
    """Return the devices to measure: all for "auto", else the one asked for, or the CPU with one warning.

    Args:
        asked: "auto", "cpu", "cuda" or "tensorrt".
        there: As from ``available``.

    Raises:
        SettingsError: ``asked`` is none of them.
    """
    if asked == "auto":
        return there
    if asked not in NAMES:
        raise SettingsError(f"device {asked!r} is unknown", remedy=f"use auto, {', '.join(sorted(NAMES))}")
    if asked in there:
        return tuple(device for device in there if device == asked)
    log.warning("%s was asked for and is not usable here: the CPU answers; see `pip install 'fedloge[gpu]'`", asked)
    return ("cpu",)


def fastest(devices: tuple[Device, ...], call_on: Callable[[Device], Callable[[], object]]) -> Device:
    """Return the device on which a call takes the shortest median time; where there is one, nothing is measured.

    Args:
        devices: At least one; one that refuses the model is passed over.
        call_on: Opens the model on a device and returns one call of it.

    Raises:
        ExportError: Every device refuses the model.
    """
    if len(devices) == 1:
        return devices[0]
    seconds: dict[Device, float] = {}
    refused: ExportError | None = None
    for device in devices:
        try:
            seconds[device] = _median_seconds(call_on(device))
        except ExportError as error:
            refused = error
            log.info("%s cannot run this model: %s", device, error)
    if not seconds and refused is not None:
        raise refused
    log.info("seconds a call: %s", ", ".join(f"{device} {value:.2e}" for device, value in seconds.items()))
    return min(seconds, key=lambda device: seconds[device])


def open_on(device: Device, payload: bytes, *, threads: int, external: Mapping[str, bytes]) -> Any:
    """Open a model's bytes on one device; the CPU takes over what the device has no kernel for.

    Args:
        device: One that is available.
        payload: The ONNX file.
        threads: Threads within one operator.
        external: Files that the model refers to, by name.

    Raises:
        ExportError: The runtime refuses the model.
    """
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    for name, content in external.items():
        options.add_external_initializers_from_files_in_memory([name], [content], [len(content)])
    providers: list[Any] = [NAMES["cpu"]]
    if device != "cpu":
        providers.insert(0, (NAMES["cuda"], {"use_tf32": "0"}))  # what was certified was full fp32
    if device == "tensorrt":
        providers.insert(0, NAMES["tensorrt"])
    try:
        return ort.InferenceSession(payload, options, providers=providers)
    except refusals() as cause:
        raise ExportError(f"ONNX Runtime cannot load the model on {device}: {str(cause).splitlines()[0]}") from cause


def _median_seconds(call: Callable[[], object]) -> float:
    for _ in range(WARM_CALLS):
        call()
    times = []
    for _ in range(TIMED_CALLS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
