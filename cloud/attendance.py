"""Who is there: clients that say hello are told the settings, and take part once they are ready."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from cloud.progress import Progress
from cloud.store.contract import RoundStore
from shared.exchange import Exchange
from shared.messages import Presence, Welcome
from shared.settings import SharedSettings

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Attendance:
    """Clients online now.

    Attributes:
        store: Learns of every client that is ready.
        exchange: Where welcomes are sent.
        progress: Told who comes and goes.
        settings: What a client is told.
        etf_blob: SHA-256 of the frozen classifier's file.
    """

    store: RoundStore
    exchange: Exchange
    progress: Progress
    settings: SharedSettings
    etf_blob: str
    _said_at: dict[str, float] = field(default_factory=dict)
    _sessions: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many clients are online."""
        return len(self._said_at)

    def heard(self, client: str) -> None:
        """Take a message for a sign of life: who was called offline by a last will that came late is back."""
        if client in self._sessions and client not in self._said_at:
            self._said_at[client] = float("-inf")
            self.store.client_seen(client, online=True)
            self.progress.client_seen(client, online=True, is_new=False)

    def have_left(self, clients: Collection[str]) -> bool:
        """Tell whether all of these were here and are gone."""
        return all(client in self._sessions and client not in self._said_at for client in clients)

    def due(self, now: float, *, after_seconds: float) -> list[str]:
        """Return the clients that were not addressed for a while, and count them as addressed now."""
        due = [client for client, said_at in self._said_at.items() if now - said_at >= after_seconds]
        self._said_at |= dict.fromkeys(due, now)
        return due

    def forget_addressed(self) -> None:
        """Let everybody be due: there is something new to say."""
        self._said_at = dict.fromkeys(self._said_at, float("-inf"))

    def seen(self, presence: Presence, lane_client: str) -> None:
        """Greet who said hello, record who is ready, and note who went.

        A client whose images do not fit never becomes ready, so no round waits for it.
        """
        client = presence.client
        if client != lane_client:
            log.warning("dropped the presence of %s on the lane of %s", client, lane_client)
        elif presence.state == "online":
            etf = self.exchange.offer(self.etf_blob)
            self.exchange.send(client, "cmd", Welcome(settings=self.settings, etf=etf))
        elif presence.state == "ready":
            if self._sessions.get(client) != presence.session:  # a new process has forgotten what it was asked for
                self.exchange.returned(client)
            self._sessions[client] = presence.session
            self._said_at[client] = float("-inf")
            is_new = self.store.client_seen(client, online=True)
            self.progress.client_seen(client, online=True, is_new=is_new)
        elif presence.session == self._sessions.get(client):  # else the last will of an earlier life
            self._said_at.pop(client, None)
            self.store.client_seen(client, online=False)
            self.progress.client_seen(client, online=False, is_new=False)
