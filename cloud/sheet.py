"""A table that is drawn on a terminal and plain, uncut lines everywhere else, so that `grep` and `awk` can read it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A titled table; every cell is text as it came, shown without control characters or markup.

    The last column takes the long words: it alone is wrapped where the terminal is narrow.

    Attributes:
        title: Above the table.
        columns: Headers, empty for a table without; one that starts with ``>`` is aligned right.
        rows: Cells, as many per row as there are columns.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw for a terminal, else print plain lines."""
        del options
        yield self._drawn() if console.is_terminal else Text(self._plain(), no_wrap=True, overflow="ignore")

    def _drawn(self) -> Table:
        table = Table(
            title=Text(printable(self.title)),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            show_header=any(self.columns),
            pad_edge=False,
            collapse_padding=True,
        )
        for place, column in enumerate(self.columns):
            table.add_column(
                Text(column.removeprefix(">")),
                justify="right" if column.startswith(">") else "left",
                no_wrap=place < len(self.columns) - 1,
                overflow="fold",
            )
        for row in self.rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        return table

    def _plain(self) -> str:
        cells = [[printable(cell) for cell in row] for row in self.rows]
        if any(self.columns):
            cells.insert(0, [column.removeprefix(">") for column in self.columns])
        widths = [max((len(row[i]) for row in cells), default=0) for i in range(len(self.columns))]
        lines = [printable(self.title)]
        for row in cells:
            padded = (
                cell.rjust(width) if column.startswith(">") else cell.ljust(width)
                for cell, width, column in zip(row, widths, self.columns, strict=True)
            )
            lines.append("  ".join(padded).rstrip())
        return "\n".join(lines)


def printable(text: str) -> str:
    """Replace what could steer a terminal: a reason or a note is a peer's text."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
