"""A client that cannot make its personal model says so: nobody waits for it until the deadline."""

from pathlib import Path

import pytest

from cloud.settings import BrokerSettings
from cloud.store.registry import FailureRow
from edge.device_data import DeviceData
from edge.finish import Finished
from shared.errors import ExportError, GateRefusedError
from shared.messages import CurrentModel, FinalReport, FinishTask, ModelReport
from shared.model import SharedModel
from shared.settings import SharedSettings
from tests.federation import tiny_settings
from tests.puppet import Puppet
from tests.simulation import IN_MEMORY, QuietWork, Simulation
from tests.waiting import wait_until

SERVES = CurrentModel(digest="5" * 64, kind="personal", round=1, max_abs_error=1e-6, accuracy=0.5)
SECRET = "/home/ana/images: class-3"


class WorseWork(QuietWork):
    """The gate refuses what it makes, and an older model serves."""

    def _report(
        self, task: FinishTask, settings: SharedSettings, model: SharedModel, finished: Finished, data: DeviceData
    ) -> FinalReport:
        del task, settings, model, finished, data
        raise GateRefusedError(f"worse in the tail: 0 of 3 right; {SECRET}")

    def serving(self) -> CurrentModel:
        return SERVES


class BrokenWork(QuietWork):
    """Its exporter fails."""

    def _report(
        self, task: FinishTask, settings: SharedSettings, model: SharedModel, finished: Finished, data: DeviceData
    ) -> FinalReport:
        del task, settings, model, finished, data
        raise ExportError(SECRET)


def test_a_refused_model_is_reported_and_the_federation_ends_without_its_deadline(tmp_path: Path) -> None:
    settings = tiny_settings(rounds=1, broker=BrokerSettings(url=IN_MEMORY))
    assert settings.participation.report_deadline_seconds > 300
    with Simulation(tmp_path, settings, works={"ben": WorseWork, "cid": BrokenWork}) as simulation:
        coordinator = simulation.start_coordinator()
        running = {client: simulation.start_agent(client) for client in simulation.clients}
        assert running["ana"].result(60)
        with pytest.raises(GateRefusedError):  # the agent's exit code is 8
            running["ben"].result(60)
        with pytest.raises(ExportError):
            running["cid"].result(60)
        coordinator.result(60).close()
        assert [report.client for report in simulation.store.reports()] == ["ana"]
        failures = simulation.store.failures()
        assert failures == [
            FailureRow(
                client="ben",
                round_number=1,
                reason="the new model is worse on this device than the one that serves, which goes on serving",
            ),
            FailureRow(
                client="cid", round_number=1, reason="the new model could not be exported: see this agent's log"
            ),
        ]
        assert SECRET not in str(failures)
        assert [(row.client, row.model) for row in simulation.store.models()] == [("ben", SERVES)]
        federation = simulation.store.federation()
        assert federation is not None
        assert (federation.state, federation.waiting_for) == ("complete", "complete; no new model on ben, cid")


def test_what_serves_is_registered_at_every_start_and_only_on_the_clients_own_word(tmp_path: Path) -> None:
    settings = tiny_settings(rounds=1, broker=BrokerSettings(url=IN_MEMORY))
    with Simulation(tmp_path, settings, works={"ana": WorseWork}) as simulation:
        simulation.start_coordinator()
        simulation.start_agent("ana")
        wait_until(lambda: simulation.store.models() != [], "ana's model is registered", seconds=60)
        ben = Puppet(simulation, "ben")
        wait_until(lambda: len(simulation.store.clients()) == 2, "ben is known", seconds=60)
        other = CurrentModel(digest="6" * 64, kind="generic", round=1, max_abs_error=0.0)
        ben.say(ModelReport(client="ana", current=other))  # another's name on ben's lane
        ben.say(ModelReport(client="ben", current=other))
        wait_until(lambda: len(simulation.store.models()) == 2, "ben's own is registered", seconds=60)
        assert [(row.client, row.model) for row in simulation.store.models()] == [("ana", SERVES), ("ben", other)]
