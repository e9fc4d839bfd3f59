import threading
from itertools import permutations
from pathlib import Path

from cloud.settings import FederationFile
from tests.federation import tiny_settings
from tests.gate import behind
from tests.simulation import Simulation, in_memory
from tests.waiting import wait_until


def test_updates_that_arrive_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    settings = tiny_settings(rounds=1, broker=in_memory())
    digests = {
        order: digest_of(tmp_path / "-".join(order), settings, order) for order in permutations(("ana", "ben", "cid"))
    }
    assert len(digests) == 6
    assert len(set(digests.values())) == 1, digests


def digest_of(folder: Path, settings: FederationFile, order: tuple[str, ...]) -> str:
    """Return the digest after one round whose updates were accepted in this order, one by one."""
    folder.mkdir()
    gates = {client: threading.Event() for client in order}
    with Simulation(folder, settings, works={client: behind(gate) for client, gate in gates.items()}) as simulation:
        simulation.start_coordinator()
        for client in order:
            simulation.start_agent(client)
        for count, client in enumerate(order, 1):
            gates[client].set()
            wait_until(lambda: simulation.states(1).get(client) == "accepted", f"{client} is accepted")  # noqa: B023
            assert list(simulation.states(1).values()).count("accepted") == count
        return simulation.finish()
