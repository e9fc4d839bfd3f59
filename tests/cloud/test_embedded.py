import os
import socket
import stat
import sys
from pathlib import Path

import psutil
import pytest

from cloud import embedded
from cloud.broker_account import read_account
from cloud.embedded import EmbeddedBroker
from shared.errors import BrokerError
from shared.lifeline import end, spawn
from tests.brokers import Embedded
from tests.waiting import wait_until

COORDINATOR = """
import sys, threading
from pathlib import Path
from cloud.embedded import EmbeddedBroker
broker = EmbeddedBroker()
broker.start(Path(sys.argv[1]))
print("serving", flush=True)
threading.Event().wait(60)
"""


def test_port_and_credentials_are_kept_for_the_owner_only_and_reused(embedded_broker: Embedded) -> None:
    path = embedded_broker.folder / "broker.json"
    first = embedded_broker.endpoint
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(str(first.password)) >= 32
    embedded_broker.restart()
    assert embedded_broker.endpoint == first


def test_the_password_is_in_no_argument_and_no_log(embedded_broker: Embedded) -> None:
    process = embedded_broker.broker._process
    assert process is not None
    password = str(embedded_broker.endpoint.password)
    assert password not in " ".join(psutil.Process(process.pid).cmdline())
    embedded_broker.stop()
    assert password not in (embedded_broker.folder / "broker.log").read_text()


def test_the_account_does_not_show_its_password(embedded_broker: Embedded) -> None:
    account = read_account(embedded_broker.folder / "broker.json")
    assert account.password not in repr(account)


def test_it_listens_on_the_loopback_interface_only(embedded_broker: Embedded) -> None:
    process = embedded_broker.broker._process
    assert process is not None
    listening = [c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_a_killed_coordinators_broker_is_waited_for_and_its_place_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "coordinator.log"
    killed = spawn([sys.executable, "-c", COORDINATOR, tmp_path], log_path=log)
    wait_until(lambda: "serving" in log.read_text(), "the first broker serves")
    account = read_account(tmp_path / "broker.json")
    killed.kill()
    broker = EmbeddedBroker()
    endpoint = broker.start(tmp_path)
    assert endpoint.address().port == account.port
    assert endpoint.password == account.password
    assert broker.alive()
    broker.stop()
    assert not broker.alive()
    end(killed)


def test_a_broker_that_died_is_noticed_and_starts_again_at_its_place(tmp_path: Path) -> None:
    broker = EmbeddedBroker()
    first = broker.start(tmp_path)
    process = broker._process
    assert process is not None
    process.kill()
    wait_until(lambda: not broker.alive(), "the death is noticed")
    broker.stop()
    assert broker.start(tmp_path) == first
    broker.stop()


def test_a_port_that_a_stranger_holds_is_named_at_the_first_start_and_after_a_wait_at_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_RELEASE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} is taken") as caught:
            EmbeddedBroker().start(tmp_path, port)
        assert "broker.json" in caught.value.remedy
        assert not (tmp_path / "broker.json").exists()
        stranger.close()
        broker = EmbeddedBroker()
        assert broker.start(tmp_path, port).address().port == port
        broker.stop()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(BrokerError, match=f"port {port} is taken"),
    ):
        EmbeddedBroker().start(tmp_path)


def test_another_port_keeps_the_credentials(tmp_path: Path) -> None:
    broker = EmbeddedBroker()
    first = broker.start(tmp_path)
    broker.stop()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    moved = broker.start(tmp_path, port)
    assert (moved.address().port, moved.password) == (port, first.password)
    broker.stop()


def test_a_damaged_account_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broker.json"
    path.write_text('{"port": 0}')
    with pytest.raises(BrokerError, match=r"broker\.json"):
        EmbeddedBroker().start(tmp_path)
    assert path.read_text() == '{"port": 0}'


def test_a_broker_that_ends_at_its_start_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    broker = EmbeddedBroker()
    with pytest.raises(BrokerError, match="ended at its start") as caught:
        broker.start(tmp_path)
    assert "broker.log" in caught.value.remedy
    assert not broker.alive()


def test_a_broker_leaves_a_quiet_log(embedded_broker: Embedded) -> None:
    reader = embedded_broker.join("reader", ["t"])
    reader.publish("t", b"hello")
    reader.receive(5)
    reader.close()
    embedded_broker.stop()
    assert (embedded_broker.folder / "broker.log").read_text() == ""


def test_its_environment_needs_no_secret(embedded_broker: Embedded) -> None:
    assert str(embedded_broker.endpoint.password) not in str(os.environ)
