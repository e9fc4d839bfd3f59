import threading
from pathlib import Path

import msgspec
import torch

from cloud.settings import ParticipationSettings
from edge.personal import load_personal
from shared.blobs import BlobStore
from shared.model import unpack
from shared.settings import MethodSettings
from shared.tensors import decode
from tests.federation import tiny_settings
from tests.gate import behind
from tests.simulation import Simulation, in_memory
from tests.waiting import wait_until

AS_IT_CAME = MethodSettings(catch_up_epochs=0)
"""No epoch on the final backbone: a head that started from psi still equals it."""


def test_a_client_that_was_never_selected_takes_psi_for_its_head_and_says_so(tmp_path: Path) -> None:
    settings = tiny_settings(broker=in_memory(), participation=ParticipationSettings(clients=3, fraction=0.34))
    settings = msgspec.structs.replace(settings, rounds=2, method=AS_IT_CAME)
    with Simulation(tmp_path, settings) as simulation:
        simulation.run_to_end()
        selected = simulation.states(1).keys() | simulation.states(2).keys()
        never = sorted(set(simulation.clients) - selected)
        assert never, "two rounds of one client each leave one of three out"
        for client in simulation.clients:
            assert starts_from_psi(simulation, client) == (client in never)
            assert note_of(simulation, client).startswith("never selected") == (client in never)


def test_a_client_that_joins_in_the_last_round_takes_psi_for_its_head_and_says_so(tmp_path: Path) -> None:
    settings = tiny_settings(broker=in_memory(), rounds=1, participation=ParticipationSettings(clients=2))
    settings = msgspec.structs.replace(settings, method=AS_IT_CAME)
    gate = threading.Event()
    with Simulation(tmp_path, settings, works={"ben": behind(gate)}) as simulation:
        simulation.start_coordinator()
        simulation.start_agent("ana")
        simulation.start_agent("ben")
        wait_until(lambda: simulation.store.open_round() is not None, "round 1 is open")
        simulation.start_agent("cid")
        wait_until(lambda: len(simulation.store.clients()) == 3, "cid is known")
        gate.set()
        simulation.finish()
        assert set(simulation.states(1)) == {"ana", "ben"}
        assert note_of(simulation, "cid") == "never selected: started from the global head"
        assert starts_from_psi(simulation, "cid")
        assert not starts_from_psi(simulation, "ana")


def note_of(simulation: Simulation, client: str) -> str:
    return next(report.head_note for report in simulation.store.reports() if report.client == client)


def starts_from_psi(simulation: Simulation, client: str) -> bool:
    """Tell whether the device's head is the final model's psi, value for value."""
    shared = decode(BlobStore(simulation.paths.blobs).get(simulation.store.last_committed().blob))
    psi = unpack(shared).psi.weight  # type: ignore[union-attr]
    heads = BlobStore(simulation.state(client) / "heads")
    (blob,) = [path.name for path in heads.folder.iterdir()]
    kept = load_personal(blob, heads).phi
    return kept is not None and torch.equal(kept.weight, psi)
