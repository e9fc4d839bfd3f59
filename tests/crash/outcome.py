"""What a federation leaves that must not depend on who died when."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cloud.settings import FederationPaths
from cloud.store.contract import RoundStore


class Ended(Protocol):
    """A federation of any kind whose parts have all ended."""

    folder: Path
    clients: list[str]
    paths: FederationPaths

    @property
    def store(self) -> RoundStore: ...

    def state(self, client: str) -> Path: ...


@dataclass(frozen=True)
class Outcome:
    """Models and heads by their digests: equal outcomes are equal bytes.

    Attributes:
        models: Shared tensors after each round.
        accepted: Which updates each round took.
        heads: Every head on record of each client, by round.
        reports: What each client reported of its personal model.
        files: Digests of everything exported.
    """

    models: tuple[str, ...]
    accepted: tuple[tuple[tuple[str, str | None, int], ...], ...]
    heads: dict[str, tuple[tuple[int, str], ...]]
    reports: tuple[object, ...]
    files: dict[str, str]


def outcome_of(federation: Ended) -> Outcome:
    """Read it from the databases of both sides."""
    rows = federation.store.rounds()
    assert all(row.state == "committed" for row in rows)
    return Outcome(
        models=tuple("" if row.result is None else row.result.blob for row in rows),
        accepted=tuple(
            tuple(
                (part.client, part.record.blob, part.record.num_examples)
                for part in row.participants
                if part.record is not None and part.state == "accepted"
            )
            for row in rows
        ),
        heads={client: _heads(federation, client) for client in federation.clients},
        reports=tuple(federation.store.reports()),
        files={
            str(path.relative_to(federation.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in (federation.paths.folder, *map(federation.state, federation.clients))
            for path in (*folder.glob("*.onnx"), *folder.glob("*.bundle.safetensors"))
        },
    )


def _heads(federation: Ended, client: str) -> tuple[tuple[int, str], ...]:
    with closing(sqlite3.connect(federation.state(client) / "agent.sqlite")) as journal:
        return tuple(journal.execute("SELECT round, phi_blob FROM rounds ORDER BY round"))
