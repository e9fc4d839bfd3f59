"""The table of ``lab newcomers``: each way to start, for the clients that never trained and for those that did."""

from typing import Final

from rich.table import Table

from cloud.lab.newcomers import NewcomersResult, Spread
from cloud.lab.starts import ADAPTED_EPOCHS
from cloud.lab.tables import percent

WORDS: Final = {
    "generic": "generic model",
    "prior": "generic model + own class frequencies",
    **{f"adapted-{n}": f"head adapted, {n} epoch{'s' if n > 1 else ''}" for n in ADAPTED_EPOCHS},
}
"""What the ways to start are called."""


def newcomers_table(result: NewcomersResult) -> Table:
    """Return one row a way to start, in %."""
    caption = "% on the clients' own tests, mean ± standard deviation over clients, and the worst client"
    if result.adapted_rule is None:
        caption += f"; {result.setting.method} adapts no head by itself"
    table = Table(caption=caption, box=None, pad_edge=False)
    new, trained = (sum(client.is_new == side for client in result.clients) for side in (True, False))
    table.add_column("start")
    for heading in (f"{new} new", "worst", f"{trained} trained", "worst"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in result.rows:
        words = WORDS.get(row.start, f"the method's personal model ({result.personal_rule})")
        table.add_row(words, *_cells(row.new), *_cells(row.trained))
    return table


def _cells(spread: Spread | None) -> tuple[str, str]:
    if spread is None:
        return "-", "-"
    return f"{percent(spread.mean)} ± {percent(spread.std)}", percent(spread.worst)
