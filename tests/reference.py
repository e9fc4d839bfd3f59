"""One undisturbed federation of real processes, every byte of it recorded: what disturbed ones are held against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud.credentials import PASSWORD_VARIABLE, USERNAME_VARIABLE
from cloud.settings import BrokerSettings
from tests.brokers import Embedded
from tests.federation import Federation, tiny_settings
from tests.recorder import RecordingProxy


@dataclass(frozen=True)
class Reference:
    """What the undisturbed federation left.

    Attributes:
        federation: Its folder and database; all processes have ended.
        digest: Of the final shared tensors.
        sent: What each connection's client sent to the broker, connection by connection.
        received: What the broker sent to it, in the same order.
    """

    federation: Federation
    digest: str
    sent: list[bytes]
    received: list[bytes]


@contextmanager
def undisturbed(folder: Path) -> Iterator[Reference]:
    """Run it through a recording proxy in front of a broker that the coordinator takes for its operator's own."""
    broker = Embedded(folder / "broker")
    endpoint = broker.endpoint
    environment = {USERNAME_VARIABLE: str(endpoint.username), PASSWORD_VARIABLE: str(endpoint.password)}
    try:
        with RecordingProxy("127.0.0.1", endpoint.address().port) as proxy:
            settings = tiny_settings(broker=BrokerSettings(url=f"mqtt://127.0.0.1:{proxy.port}", mqtt="3.1.1"))
            with Federation(folder, settings, environment=environment) as federation:
                federation.start()
                digest = federation.run_to_end()
                yield Reference(
                    federation=federation,
                    digest=digest,
                    sent=[bytes(stream) for stream in proxy._sent],
                    received=[bytes(stream) for stream in proxy._received],
                )
    finally:
        broker.stop()
