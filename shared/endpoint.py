"""Where a broker is and how to log in: the URL may be shown, the password may not."""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from shared.errors import BrokerError
from shared.packet import Profile

Version: TypeAlias = Literal["auto", "5", "3.1.1"]
"""Which MQTT to speak: auto tries 5 first."""

DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
"""IANA's ports for MQTT in the clear and over TLS, by URL scheme."""


class Address(NamedTuple):
    """Where to open the connection, and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        """Return ``host:port``, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker and the credentials for it.

    Attributes:
        url: ``mqtt://host[:port]``, or ``mqtts://`` for TLS checked against the system's certificates.
        username: None for a broker that asks for none.
        password: Never in ``url``, which shows in process lists and logs.
        mqtt: Which version to speak; "auto" tries 5 and falls back to 3.1.1.
        profile: What it is taken to pass on where it does not say.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    mqtt: Version = "auto"
    profile: Profile = "standard"

    def address(self) -> Address:
        """Take the URL apart.

        Raises:
            BrokerError: It is no broker's URL, or it holds credentials (the message then does not repeat it).
        """
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError as cause:
            raise BrokerError("the broker's URL does not parse", remedy=_FORM) from cause
        if "@" in parts.netloc:
            raise BrokerError(
                "credentials in the broker's URL are refused: it shows in process lists and logs",
                remedy="put username and password into the join file or the environment",
            )
        if parts.scheme not in DEFAULT_PORTS or not host or parts.path not in ("", "/") or parts.query:
            raise BrokerError(f"{self.url!r} is no broker's URL", remedy=_FORM)
        return Address(host, DEFAULT_PORTS[parts.scheme] if port is None else port, parts.scheme == "mqtts")


_FORM: Final = "write mqtt://host:port, or mqtts://host:port for TLS"
