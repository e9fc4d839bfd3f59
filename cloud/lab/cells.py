"""Finished runs on disk: one JSON file a run, named after its setting, written whole, and never run again."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from cloud.lab.measuring import Point
from cloud.lab.run import run
from cloud.lab.setting import LabSetting
from cloud.result import Result, from_json
from shared.blobs import write_durably
from shared.data import Splits
from shared.errors import ArtifactError, FedlogeError

AGAIN: Final = "move the file away, and the run is made again"
"""What helps where a result is not what its name says."""


def path_of(folder: Path, setting: LabSetting) -> Path:
    """Return where a run's result stands or will stand."""
    return folder / f"{setting.key()}.json"


def finished(folder: Path, setting: LabSetting) -> Result | None:
    """Return a run's result where it is there.

    Raises:
        ArtifactError: The file cannot be read.
        FedlogeError: The file is no result, one of another version, or the result of another run.
    """
    path = path_of(folder, setting)
    try:
        payload = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise ArtifactError(f"cannot read {path}: {cause.strerror or cause}", remedy="mend its rights") from cause
    try:
        result = from_json(payload)
    except FedlogeError as error:
        raise FedlogeError(f"{path}: {error.message}", remedy=AGAIN) from error
    if result.lab is None or result.lab.setting.key() != setting.key():
        other = "no run of the lab" if result.lab is None else result.lab.setting.key()
        raise FedlogeError(f"{path} holds another result: {other}", remedy=AGAIN)
    return result


def run_cell(
    folder: Path, setting: LabSetting, splits: Callable[[], Splits], told: Callable[[int, Point | None], None]
) -> Result:
    """Return a run's result; run it where it is not there yet.

    Args:
        folder: Of the results; created.
        setting: What to run.
        splits: Reads the images; not called where the result is there.
        told: As in ``run``.

    Raises:
        ArtifactError: The result cannot be written.
    """
    known = finished(folder, setting)
    if known is not None:
        return known
    result = run(setting, splits(), told)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(path_of(folder, setting), msgspec.json.encode(result) + b"\n")
    return result
