"""A TCP proxy in this process that stands before a broker and is as bad as its profile says."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cloud.chaos.packets import Packets
from cloud.chaos.profiles import Profile

_READ_BYTES: Final = 32 * 1024
"""Taken from a socket at once: small enough for smooth pacing, large enough for loopback speed."""

_QUEUED_READS: Final = 64
"""Reads under way in one direction: a delay of 300 ms at 1 MiB/s holds ten; beyond, the sender has to wait."""

_START_SECONDS: Final = 5.0
"""Wait for the proxy's thread to listen."""


@dataclass(slots=True)
class Carried:
    """Bytes of one direction, over all connections.

    Attributes:
        taken: Read from the sender.
        delivered: Handed on; what was taken and not delivered a cut has destroyed.
        whole: Of those, in packets that were handed on whole; a cut has destroyed the others as well.
    """

    taken: int = 0
    delivered: int = 0
    whole: int = 0


@dataclass(eq=False, slots=True)
class _Connection:
    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    carried: int = 0

    def cut(self) -> None:
        for end in (self.client, self.broker):
            end.transport.abort()


@dataclass(slots=True)
class _Moments:
    """When the network is up; all times are the event loop's."""

    up: asyncio.Event = field(default_factory=asyncio.Event)
    refusing: bool = False


class Proxy:
    """Forwards every connection to a broker; as a context manager it ends with its block.

    Args:
        target_host: Of the broker.
        target_port: Of the broker.
        profile: How bad to be.

    Attributes:
        port: Where it listens, on the loopback interface.
        to_broker: Bytes from clients.
        to_clients: Bytes from the broker.
        cuts: Connections it has cut.
    """

    def __init__(self, target_host: str, target_port: int, profile: Profile) -> None:
        self.port = 0
        self.to_broker, self.to_clients = Carried(), Carried()
        self.cuts = 0
        self._target = (target_host, target_port)
        self._profile = profile
        self._loop = asyncio.new_event_loop()
        self._moments = _Moments()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut what stands and stop listening."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    async def _listen(self) -> None:
        self._moments.up.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        if self._profile.flap_seconds:
            self._begin(self._flap())
        if self._profile.off_seconds:
            self._begin(self._take_turns())

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _flap(self) -> None:
        while True:
            await asyncio.sleep(self._profile.flap_seconds)
            self._moments.refusing = True
            for connection in list(self._connections):
                self._cut(connection)
            await asyncio.sleep(self._profile.down_seconds)
            self._moments.refusing = False

    async def _take_turns(self) -> None:
        while True:
            await asyncio.sleep(self._profile.on_seconds)
            self._moments.up.clear()
            await asyncio.sleep(self._profile.off_seconds)
            self._moments.up.set()

    def _cut(self, connection: _Connection) -> None:
        self.cuts += 1
        connection.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end or the profile ends it."""
        await self._moments.up.wait()
        if self._moments.refusing:
            writer.transport.abort()
            return
        try:
            broker_reader, broker_writer = await asyncio.open_connection(*self._target)
        except OSError:  # the broker is down: the client sees its connection end
            writer.transport.abort()
            return
        connection = _Connection(writer, broker_writer)
        self._connections.add(connection)
        ways = [
            self._begin(self._carry(reader, broker_writer, self.to_broker, connection)),
            self._begin(self._carry(broker_reader, writer, self.to_clients, connection)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        connection.cut()
        await asyncio.gather(*ways, return_exceptions=True)
        self._connections.discard(connection)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carried: Carried, connection: _Connection
    ) -> None:
        """Carry one direction: what is read waits its delay, its turn and the network's in a finite queue."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED_READS)
        delivery = self._begin(self._deliver(waiting, writer, carried, connection))
        free_at = 0.0
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                carried.taken += len(data)
                free_at = max(self._loop.time(), free_at) + len(data) / self._profile.bytes_per_second
                await waiting.put((free_at + self._profile.one_way_seconds, data))
        await waiting.put((free_at + self._profile.one_way_seconds, b""))
        await asyncio.gather(delivery, return_exceptions=True)

    async def _deliver(
        self,
        waiting: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
        carried: Carried,
        connection: _Connection,
    ) -> None:
        profile, packets = self._profile, Packets()
        with contextlib.suppress(OSError):
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await self._moments.up.wait()
                if not data or writer.is_closing():
                    return
                writer.write(data)
                await writer.drain()
                carried.delivered += len(data)
                carried.whole += packets.feed(data)
                connection.carried += len(data)
                if (
                    profile.cut_after_bytes
                    and connection.carried > profile.cut_after_bytes
                    and self.cuts < profile.cuts
                ):
                    self._cut(connection)
