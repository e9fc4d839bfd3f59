"""A federation over every bad network there is by name: it completes, with the same bytes, and wastes few."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.chaos.profiles import PROFILES, UNDISTURBED, Profile
from cloud.chaos.proxy import Proxy
from cloud.credentials import PASSWORD_VARIABLE, USERNAME_VARIABLE
from cloud.settings import BrokerSettings, ParticipationSettings
from tests.brokers import Embedded
from tests.crash.mortal import CLIENTS
from tests.federation import tiny_settings
from tests.simulation import Simulation

ROUNDS = 2

ALLOWED_WASTE = 0.05
"""Of the bytes of an undisturbed run, beyond what cuts destroyed: what was destroyed was never delivered."""


@dataclass(frozen=True)
class Run:
    digest: str
    delivered: int
    cuts: int


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    broker = Embedded(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()


def run(folder: Path, broker: Embedded, profile: Profile) -> Run:
    with Proxy("127.0.0.1", broker.endpoint.address().port, profile) as proxy:
        settings = tiny_settings(
            rounds=ROUNDS,
            broker=BrokerSettings(url=f"mqtt://127.0.0.1:{proxy.port}"),
            participation=ParticipationSettings(clients=len(CLIENTS)),
        )
        with Simulation(folder, settings, clients=CLIENTS) as federation:
            digest = federation.run_to_end()
            assert [row.state for row in federation.store.rounds()] == ["committed"] * ROUNDS
            assert [report.client for report in federation.store.reports()] == federation.clients
        return Run(digest=digest, delivered=proxy.to_clients.whole, cuts=proxy.cuts)


@pytest.fixture(autouse=True)
def account(broker: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USERNAME_VARIABLE, str(broker.endpoint.username))
    monkeypatch.setenv(PASSWORD_VARIABLE, str(broker.endpoint.password))


@pytest.fixture(scope="module")
def calm() -> dict[str, Run]:
    """The undisturbed run, once there is one."""
    return {}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_bad_network_costs_time_and_nothing_else(
    tmp_path: Path, broker: Embedded, calm: dict[str, Run], profile: Profile
) -> None:
    if not calm:
        calm["run"] = run(tmp_path / "calm", broker, UNDISTURBED)
    disturbed = run(tmp_path / "disturbed", broker, profile)
    assert disturbed.digest == calm["run"].digest
    assert disturbed.delivered <= (1 + ALLOWED_WASTE) * calm["run"].delivered
    assert disturbed.cuts > 0 or not profile.cuts
