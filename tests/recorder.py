"""A TCP proxy in this process that keeps every byte it passes on, both ways, for tests of what leaves a device."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class RecordingProxy:
    """Listens on the loopback interface and forwards every connection to a broker.

    Args:
        target_host: Of the broker.
        target_port: Of the broker.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._lock = threading.Lock()
        self._sent: list[bytearray] = []
        self._received: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def sent(self) -> bytes:
        """What clients sent to the broker, one connection after the other, so that no message is torn apart."""
        with self._lock:
            return b"".join(self._sent)

    @property
    def received(self) -> bytes:
        """What the broker sent to clients, one connection after the other."""
        with self._lock:
            return b"".join(self._received)

    def cut(self) -> None:
        """Break every connection that stands; new ones are accepted."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in list(self._threads):
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(self._target, timeout=5)
            except OSError:  # the broker is down: the client sees its connection end
                client.close()
                continue
            broker.settimeout(None)
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent, received = bytearray(), bytearray()
            with self._lock:
                self._sockets += [client, broker]
                self._sent.append(sent)
                self._received.append(received)
            self._start(self._pass_on, client, broker, sent, received)

    def _pass_on(self, client: socket.socket, broker: socket.socket, sent: bytearray, received: bytearray) -> None:
        back = threading.Thread(target=self._copy, args=(broker, client, received), daemon=True)
        back.start()
        self._copy(client, broker, sent)
        back.join()
        client.close()
        broker.close()

    def _copy(self, source: socket.socket, target: socket.socket, record: bytearray) -> None:
        """Copy until one side ends, then end the other."""
        with contextlib.suppress(OSError):
            while data := source.recv(256 * 1024):
                with self._lock:
                    record += data
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
