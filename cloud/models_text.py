"""The model registry for people."""

from typing import Final

from rich.console import Group, RenderableType

from cloud.sheet import Sheet
from cloud.status import Figures
from cloud.tables_text import clock
from cloud.words import percent

SHOWN: Final = 12
"""Characters of a digest: enough to tell versions apart."""

LAST: Final = 10
"""Versions of the generic model shown; ``--json`` has all."""


def models_table(data: Figures) -> RenderableType:
    """Show ``models``."""
    return Group(_clients(data), _generic(data))


def _clients(data: Figures) -> Sheet:
    rows = []
    for row in data["clients"]:
        current, failure = row["current"], row["failure"]
        note = "" if failure is None else f"round {failure['round']}: {failure['reason']}"
        if current is None:
            rows.append((row["client"], "none reported", "", "", "", "", "", note))
            continue
        rows.append(
            (
                row["client"],
                current["kind"],
                current["digest"][:SHOWN],
                str(current["round"]),
                f"{current['max_abs_error']:.1e}",
                percent(current["accuracy"]),
                clock(row["reported_at"]),
                note,
            )
        )
    columns = ("client", "serves", "digest", ">round", ">|dlogit|", ">accuracy", "since, UTC", "refused")
    return Sheet(title=f"models that serve in {data['federation']}", columns=columns, rows=rows)


def _generic(data: Figures) -> Sheet:
    rows = [
        (
            str(row["round"]),
            row["blob"][:SHOWN],
            percent(row["accuracy"]),
            *(percent(row["groups"].get(group)) for group in ("head", "medium", "tail")),
            row["path"] or "",
        )
        for row in data["generic"][-LAST:]
    ]
    hidden = len(data["generic"]) - len(rows)
    title = "versions of the generic model" + (f" ({hidden} earlier ones: --json)" if hidden else "")
    columns = (">round", "tensors", ">GM", ">head", ">medium", ">tail", "exported as")
    return Sheet(title=title, columns=columns, rows=rows)
