"""A bar for one run, with the time left: on a terminal it moves, elsewhere every measured round is a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cloud.lab.measuring import Point
from cloud.lab.setting import LabSetting
from cloud.lab.tables import percent
from shared.output import console, note


@contextmanager
def round_bar(setting: LabSetting) -> Iterator[Callable[[int, Point | None], None]]:
    """Show how far a run is; give what is to be called after every round."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = console(stderr=True)  # a bar that is not shown would still leave an empty line behind
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(setting.method, total=setting.rounds)

        def told(number: int, point: Point | None) -> None:
            bar.update(task, completed=number)
            if point is not None:
                personal = sum(point.personal.values()) / max(1, len(point.personal))
                line = f"round {number}/{setting.rounds}: GM {percent(point.gm)} %, PM {percent(personal)} %"
                bar.console.print(line) if bar.console.is_terminal else note(line)

        yield told
