"""Many runs: in parallel processes of this machine, or on the workers of a Dask cluster."""

import functools
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import joblib
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cloud.lab.cells import finished, path_of, run_cell
from cloud.lab.cluster import connected
from cloud.lab.measuring import Point
from cloud.lab.setting import LabSetting
from shared.data import Splits, read
from shared.output import console, note

LOOK_SECONDS = 1.0
"""Between two looks at how far the runs are."""


@functools.lru_cache(maxsize=1)
def images(spec: str) -> Splits:
    """Read a data spec once per process: 60,000 JPEG files take a processor 20 seconds."""
    return read(spec, image_size=None, channels=None, class_names=None)


def sweep(settings: Sequence[LabSetting], folder: Path, *, workers: int, dask: str = "") -> None:
    """Make the runs that are not there yet, in the order given.

    Each run is one process with the federation's own number of threads (1): the same numbers whatever the number of
    workers.

    Args:
        settings: The runs.
        folder: Of the results, seen by every worker.
        workers: Processes at a time on this machine.
        dask: Address of a Dask scheduler whose workers make the runs instead; they see the images and ``folder`` under
            the same paths.

    Raises:
        SettingsError: The cluster is out of reach, or has workers of several threads.
    """
    missing = [setting for setting in settings if finished(folder, setting) is None]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _shown(missing, folder):
        if workers == 1 and not dask:
            for setting in missing:
                _work(setting, folder)
            return
        with (
            connected(dask) if dask else joblib.parallel_config(backend="loky", n_jobs=workers),
            warnings.catch_warnings(),
        ):
            # loky replaces a worker whose memory grew, and loses no run
            warnings.filterwarnings("ignore", "A worker stopped while some jobs")
            joblib.Parallel(batch_size=1)(joblib.delayed(_work)(setting, folder.resolve()) for setting in missing)


def _work(setting: LabSetting, folder: Path) -> None:
    """Make one run, and leave a trace of how far it is for whoever shows it."""
    trace = _trace(folder, setting)

    def told(number: int, point: Point | None) -> None:
        del point
        trace.write_text(str(number), encoding="ascii")

    try:
        run_cell(folder, setting, lambda: images(setting.data), told)
    finally:
        trace.unlink(missing_ok=True)


def _trace(folder: Path, setting: LabSetting) -> Path:
    return path_of(folder, setting).with_suffix(".rounds")


@contextmanager
def _shown(settings: Sequence[LabSetting], folder: Path) -> Iterator[None]:
    """Show how far the runs are, with the time left: a bar on a terminal, a line per finished run elsewhere."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(settings, folder, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(settings: Sequence[LabSetting], folder: Path, done: threading.Event) -> None:
    total = sum(setting.rounds for setting in settings)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    told: set[str] = set()
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("rounds", total=total)
        while True:
            last = done.is_set()
            ready = [setting for setting in settings if path_of(folder, setting).exists()]
            for setting in ready:
                if setting.key() not in told:
                    told.add(setting.key())
                    if not bar.console.is_terminal:
                        note(f"{setting.method}, seed {setting.seed}: done, {len(told)} of {len(settings)} runs")
            rounds = sum(_rounds(setting, folder) for setting in settings)
            bar.update(task, completed=rounds, description=f"{len(ready)} of {len(settings)} runs")
            if last:
                return
            done.wait(LOOK_SECONDS)


def _rounds(setting: LabSetting, folder: Path) -> int:
    """Return how many rounds of a run are done."""
    if path_of(folder, setting).exists():
        return setting.rounds
    try:
        return int(_trace(folder, setting).read_text(encoding="ascii") or 0)
    except (OSError, ValueError):
        return 0
