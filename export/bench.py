"""What one model costs on this machine: latency, throughput, memory and size, PyTorch and ONNX Runtime side by side."""

import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from msgspec import Struct
from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table

from export.bundle import Bundle, write_bundle
from export.contenders import COMPILED, EAGER, Contender, contenders, pictures
from export.runtime import load_runtime
from export.timing import Timing, measure
from shared.images import LabelledImages

BATCHES: Final = (1, 8, 64)
BENCH_VERSION: Final = 1
PROBE_SECONDS: Final = 300.0
"""A child process that measures memory has ended by then, or its memory is not known."""


class Row(Struct, frozen=True, kw_only=True):
    """One contender at one batch size.

    Attributes:
        name: Such as "eager" or "cpu int8".
        batch: Images per call.
        timing: How fast; ``speedup`` is over eager PyTorch.
        peak_mib: Peak memory of a process that only runs this, MiB; None where it was not measured.
        file_bytes: Size of the exported file; None for PyTorch.
    """

    name: str
    batch: int
    timing: Timing
    peak_mib: float | None
    file_bytes: int | None


class Bench(Struct, frozen=True, kw_only=True):
    """All that was measured of one model.

    Attributes:
        schema_version: ``BENCH_VERSION``.
        backbone: Its name.
        image_size: Pixels.
        threads: Of every contender.
        processor: This machine's, in its own words.
        versions: Of torch and ONNX Runtime.
        rows: By batch, then contender.
        not_run: What was not measured, and why.
    """

    schema_version: int
    backbone: str
    image_size: int
    threads: int
    processor: str
    versions: dict[str, str]
    rows: tuple[Row, ...]
    not_run: dict[str, str]


def bench(
    bundle: Bundle,
    *,
    batches: Sequence[int] = BATCHES,
    seconds: float = 3.0,
    threads: int = 1,
    compiled: bool = True,
    memory: bool = True,
    calibration: LabelledImages | None = None,
) -> Bench:
    """Measure one model in every way this machine can run it.

    Args:
        bundle: The model.
        batches: Images per call.
        seconds: Per contender and batch size.
        threads: Of every contender.
        compiled: Also torch.compile.
        memory: Also memory, in a process per contender and batch size.
        calibration: Images for int8.

    Raises:
        ExportError: The bundle was refused.
    """
    found, missing = contenders(bundle, calibration=calibration, compiled=compiled, threads=threads)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(Path(folder) / "bundle", bundle)
        for batch in batches:
            images = pictures(bundle, batch)
            calls = {}
            for contender in found:
                try:
                    calls[contender.name] = contender.start(images)
                except (RuntimeError, OSError) as cause:  # what torch.compile raises without a C++ compiler
                    missing[f"{contender.name}, batch {batch}"] = f"not run: {str(cause).splitlines()[0]}"
            timings = measure(calls, batch=batch, seconds=seconds)
            for contender in found:
                if contender.name in timings:
                    peak = _peak_mib(contender, batch, Path(folder)) if memory else None
                    size = None if contender.payload is None else len(contender.payload)
                    timing = timings[contender.name]
                    rows.append(Row(name=contender.name, batch=batch, timing=timing, peak_mib=peak, file_bytes=size))
    return Bench(
        schema_version=BENCH_VERSION,
        backbone=bundle.model.backbone,
        image_size=bundle.model.image_size,
        threads=threads,
        processor=processor(),
        versions={"torch": str(torch.__version__), "onnxruntime": str(load_runtime().__version__)},
        rows=tuple(rows),
        not_run=missing,
    )


def table(result: Bench) -> Group:
    """Return the result for people: what a call takes, then what a model weighs."""
    title = f"{result.backbone}, {result.image_size} px, {result.threads} thread(s), {result.processor}"
    times = Table(box=SIMPLE, title=title, title_justify="left")
    for heading in ("batch", "run by", "p50 ms", "p99 ms", "images/s", "x eager", "CPU ms", "x eager"):
        times.add_column(heading, justify="left" if heading == "run by" else "right", no_wrap=True)
    for row in result.rows:
        took = row.timing
        rates = [f"{took.p50_ms:.2f}", f"{took.p99_ms:.2f}", f"{took.images_per_second:.0f}", f"{took.speedup:.1f}"]
        times.add_row(str(row.batch), row.name, *rates, f"{took.cpu_ms:.2f}", f"{took.cpu_speedup:.1f}")
    batches = list(dict.fromkeys(row.batch for row in result.rows))
    weights = Table(box=SIMPLE)
    for heading in ("run by", "file KiB", *(f"MiB at {batch}" for batch in batches)):
        weights.add_column(heading, justify="left" if heading == "run by" else "right", no_wrap=True)
    for name in dict.fromkeys(row.name for row in result.rows):
        own = {row.batch: row for row in result.rows if row.name == name}
        size = next(iter(own.values())).file_bytes
        peaks = [own[batch].peak_mib if batch in own else None for batch in batches]
        said = ["" if peak is None else f"{peak:.0f}" for peak in peaks]
        weights.add_row(name, "" if size is None else f"{size / 1024:.0f}", *said)
    return Group(times, weights)


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _peak_mib(contender: Contender, batch: int, folder: Path) -> float | None:
    """Return the peak memory of a process that only runs this; None on a GPU, whose memory it is not."""
    if contender.name in (EAGER, COMPILED):
        kind, file = ("eager" if contender.name == EAGER else "compiled"), folder / "bundle"
    elif contender.name.startswith("cpu ") and contender.payload is not None:
        kind, file = "onnx", folder / "model.onnx"
        file.write_bytes(contender.payload)
    else:
        return None
    command = [sys.executable, "-m", "export.footprint", kind, str(file), str(batch)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=True)  # noqa: S603 - ours
        return int(done.stdout.split()[-1]) / 1024
    except (subprocess.SubprocessError, ValueError, IndexError):
        return None
