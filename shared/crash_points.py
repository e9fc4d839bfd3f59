"""Every place where state changes hands, by name: there a test lets a process die, and nobody else can.

A place does nothing but ask whether somebody watches. Nobody can from outside: no variable, option or message installs
a watcher, only a test's own code does, in the process it means to kill.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

Place: TypeAlias = Literal[
    "sql.commit",  # the coordinator's transaction is complete and not committed
    "sql.committed",
    "journal.write",  # the agent's statement is about to run, which makes it durable
    "journal.written",
    "file.opened",  # the file beside the one that is meant exists and is empty
    "file.written",  # its bytes are in the page cache
    "file.synced",  # its bytes are on the disk under the name beside
    "file.renamed",  # it has its name, which a power cut may take away again
    "file.durable",
    "file.discard",
    "file.discarded",
    "chunk.write",  # a chunk has come and is not in the part file
    "chunk.written",  # it is there, and not marked as there
    "chunk.marked",
    "chunk.send",
    "message.send",
    "message.sent",
]
"""What is about to happen, or has just happened."""

PLACES: tuple[Place, ...] = get_args(Place)

Watcher: TypeAlias = Callable[[Place, object], None]
"""Told the place, and what it concerns: a path, a message, the name of a step."""

_watcher: Watcher | None = None


def passing(place: Place, concerning: object) -> None:
    """Tell the watcher of a test, if there is one; it may never return."""
    if _watcher is not None:
        _watcher(place, concerning)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Let a test watch this process; for tests alone, which the source of the product is searched for."""
    global _watcher  # noqa: PLW0603 - one per process, as deaths are
    _watcher = watcher
    try:
        yield
    finally:
        _watcher = None
