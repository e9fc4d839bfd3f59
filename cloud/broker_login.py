"""Who may log in to the embedded broker: the holder of its one account, nobody else and nobody unnamed."""

import hmac
from dataclasses import dataclass

from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session


class OneAccountPlugin(BaseAuthPlugin):  # type: ignore[misc]
    """Compare username and password in constant time, so that nothing is learnt from how long a refusal takes."""

    @dataclass
    class Config:
        """The account."""

        username: str
        password: str

    async def authenticate(self, *, session: Session) -> bool:
        """Tell whether a session's credentials are the account's."""
        name = hmac.compare_digest((session.username or "").encode(), self.config.username.encode())
        word = hmac.compare_digest((session.password or "").encode(), self.config.password.encode())
        return name and word
