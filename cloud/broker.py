"""The embedded MQTT broker, a child process: ``python -m cloud.broker FILE``, where FILE is ``broker.json``.

amqtt serves MQTT 3.1.1 on the loopback interface and keeps everything in memory: what is retained dies with it, and
both sides announce themselves again after a reconnect.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Final

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.session import Session

from cloud.broker_account import read_account
from shared.lifeline import end_with_parent

HOST: Final = "127.0.0.1"


class LaneBroker(Broker):  # type: ignore[misc]
    """amqtt, without its habit of handing every client that connects the retained messages of everyone's filters.

    Beside telling one agent about another and saying everything twice, amqtt suspends while it walks through all
    filters, and drops the connecting client when another subscribes in that moment.
    """

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Send what is retained under one filter, to a session that subscribed to it."""
        if any(subscriber is session for subscriber, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def serve(path: Path) -> None:
    """Run the broker until SIGTERM or SIGINT.

    Args:
        path: ``broker.json``, with the port and the one account.

    Raises:
        BrokerError: The file cannot be read.
    """
    account = read_account(path)
    plugin = {"username": account.username, "password": account.password}
    broker = LaneBroker(
        BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{HOST}:{account.port}")},
            plugins={"cloud.broker_login.OneAccountPlugin": plugin},
        )
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await broker.start()
    await stopped.wait()
    await broker.shutdown()


def main() -> None:
    """Read the command line and serve."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("amqtt").setLevel(logging.ERROR)  # it warns of every client that leaves with a message under way
    end_with_parent()
    asyncio.run(serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
