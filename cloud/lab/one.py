"""``lab run`` and ``lab newcomers``: one run with a bar, and its files."""

from pathlib import Path

import msgspec

from cloud.lab.bar import round_bar
from cloud.lab.newcomers import NewcomersResult, run_newcomers
from cloud.lab.report import render_run
from cloud.lab.run import run
from cloud.lab.setting import LabSetting
from cloud.lab.sweep import images
from cloud.lab.tables import clients_csv, curve_csv
from cloud.result import Result, write_result
from shared.blobs import write_durably
from shared.errors import ArtifactError


def run_one(setting: LabSetting, out: Path) -> Result:
    """Run a setting, and write ``result.json``, ``report.html``, ``curve.csv`` and ``clients.csv``.

    Raises:
        ArtifactError: The folder cannot be used.
        DataError: The images cannot be read.
        SettingsError: A value is out of range, or the method is unknown.
    """
    _make(out)
    splits = images(setting.data)
    with round_bar(setting) as told:
        result = run(setting, splits, told)
    write_result(result, out / "result.json")
    write_durably(out / "report.html", render_run(result).encode())
    write_durably(out / "curve.csv", curve_csv(result).encode())
    write_durably(out / "clients.csv", clients_csv(result).encode())
    return result


def run_one_with_newcomers(setting: LabSetting, share: float, out: Path) -> NewcomersResult:
    """Run a setting without part of the clients, start everybody, and write ``newcomers.json``.

    Raises:
        ArtifactError: The folder cannot be used.
        DataError: The images cannot be read.
        SettingsError: A value is out of range, the method is unknown, or nobody is left to train.
    """
    _make(out)
    splits = images(setting.data)
    with round_bar(setting) as told:
        result = run_newcomers(setting, splits, share, told)
    write_durably(out / "newcomers.json", msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return result


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ArtifactError(f"cannot use {out}: {cause.strerror or cause}", remedy="choose another --out") from cause
