"""``lab run``: one run with a bar, and its files."""

from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cloud.lab.measuring import Point
from cloud.lab.report import render_run
from cloud.lab.run import run
from cloud.lab.setting import LabSetting
from cloud.lab.sweep import images
from cloud.lab.tables import clients_csv, curve_csv, percent
from cloud.result import Result, write_result
from shared.blobs import write_durably
from shared.errors import ArtifactError
from shared.output import console, note


def run_one(setting: LabSetting, out: Path) -> Result:
    """Run a setting, and write ``result.json``, ``report.html``, ``curve.csv`` and ``clients.csv``.

    Raises:
        ArtifactError: The folder cannot be used.
        DataError: The images cannot be read.
        SettingsError: A value is out of range, or the method is unknown.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ArtifactError(f"cannot use {out}: {cause.strerror or cause}", remedy="choose another --out") from cause
    splits = images(setting.data)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(setting.method, total=setting.rounds)

        def told(number: int, point: Point | None) -> None:
            bar.update(task, completed=number)
            if point is not None:
                personal = sum(point.personal.values()) / max(1, len(point.personal))
                line = f"round {number}/{setting.rounds}: GM {percent(point.gm)} %, PM {percent(personal)} %"
                bar.console.print(line) if bar.console.is_terminal else note(line)

        result = run(setting, splits, told)
    write_result(result, out / "result.json")
    write_durably(out / "report.html", render_run(result).encode())
    write_durably(out / "curve.csv", curve_csv(result).encode())
    write_durably(out / "clients.csv", clients_csv(result).encode())
    return result
