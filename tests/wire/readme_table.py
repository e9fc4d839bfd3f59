"""The README's table of messages, read back as data."""

import re
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parents[2] / "README.md"

HEADER = "| message | topic | fields |"


class Row(NamedTuple):
    """One message as the README shows it; a part of other messages has no topic of its own."""

    topics: frozenset[str]
    fields: tuple[str, ...]


def readme_table() -> dict[str, Row]:
    """Return the table's rows by message; a topic is a name with a slash, the fields keep their order."""
    lines = README.read_text(encoding="utf-8").splitlines()
    assert HEADER in lines, f"README.md has no table that begins with {HEADER!r}: it must list every message"
    rows = {}
    for line in lines[lines.index(HEADER) + 2 :]:
        if not line.startswith("|"):
            break
        message, topics, fields = (re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|"))
        assert len(message) == 1, f"README.md: a row of the messages names one message: {line}"
        rows[message[0]] = Row(frozenset(topic for topic in topics if "/" in topic), tuple(fields))
    return rows
