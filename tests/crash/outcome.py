"""What a federation leaves that must not depend on who died when."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from tests.simulation import Simulation


@dataclass(frozen=True)
class Outcome:
    """Models and heads by their digests: equal outcomes are equal bytes.

    Attributes:
        models: Shared tensors after each round.
        accepted: Which updates each round took.
        heads: Every head on record of each client, by round.
        reports: What each client reported of its personal model.
    """

    models: tuple[str, ...]
    accepted: tuple[tuple[tuple[str, str | None, int], ...], ...]
    heads: dict[str, tuple[tuple[int, str], ...]]
    reports: tuple[object, ...]


def outcome_of(simulation: Simulation) -> Outcome:
    """Read it from the databases of both sides."""
    rows = simulation.store.rounds()
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
        heads={client: _heads(simulation, client) for client in simulation.clients},
        reports=tuple(simulation.store.reports()),
    )


def _heads(simulation: Simulation, client: str) -> tuple[tuple[int, str], ...]:
    with closing(sqlite3.connect(simulation.state(client) / "agent.sqlite")) as journal:
        return tuple(journal.execute("SELECT round, phi_blob FROM rounds ORDER BY round"))
