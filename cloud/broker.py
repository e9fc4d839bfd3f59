"""The embedded MQTT broker, a child process: ``python -m cloud.broker FILE``, where FILE is ``broker.json``.

amqtt serves MQTT 3.1.1 on the loopback interface and keeps everything in memory: what is retained dies with it, and
both sides announce themselves again after a reconnect.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig

from cloud.broker_account import read_account
from shared.lifeline import end_with_parent

HOST = "127.0.0.1"


async def serve(path: Path) -> None:
    """Run the broker until SIGTERM or SIGINT.

    Args:
        path: ``broker.json``, with the port and the one account.

    Raises:
        BrokerError: The file cannot be read.
    """
    account = read_account(path)
    plugin = {"username": account.username, "password": account.password}
    broker = Broker(
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
    logging.getLogger("transitions").setLevel(logging.ERROR)
    end_with_parent()
    asyncio.run(serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
