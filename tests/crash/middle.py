"""The middle of a round, made certain: one agent is stopped before it answers, the others have answered."""

import signal

from tests.federation import Federation


def hold_in_the_middle(federation: Federation, held: str) -> int:
    """Start everything, stop ``held`` by SIGSTOP, and return the open round that waits for nobody else."""
    federation.start_coordinator()
    others = [client for client in federation.clients if client != held]
    for client in others:
        federation.start_agent(client)
    federation.until(lambda: _known(federation) >= set(others), f"{others} have joined")
    federation.start_agent(held)  # round 1 waits for it, so it has not begun
    federation.until(lambda: held in _known(federation), f"{held} has joined")
    federation.signal(held, signal.SIGSTOP)
    federation.until(lambda: _waits_only_for(federation, held), f"a round waits only for {held}")
    opened = federation.store.open_round()
    assert opened is not None
    return opened.plan.round_number


def _known(federation: Federation) -> set[str]:
    return {row.client for row in federation.store.clients()}


def _waits_only_for(federation: Federation, held: str) -> bool:
    opened = federation.store.open_round()
    return opened is not None and all(
        part.state == ("waiting" if part.client == held else "accepted") for part in opened.participants
    )
