"""The join file: where the broker is and who may come; written by the coordinator, readable by its owner only."""

from pathlib import Path

import msgspec
from msgspec import Struct

from shared.complaint import complaint
from shared.endpoint import Endpoint, Version
from shared.errors import SettingsError
from shared.packet import Profile
from shared.topics import check_name


class JoinFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent needs to join a federation; its ``repr`` hides the password.

    Attributes:
        federation: Its name.
        url: ``mqtt://host:port``.
        username: Of the federation's account at the broker, or None.
        password: Likewise.
        mqtt: The version the coordinator found the broker to speak.
        profile: What the broker is taken to pass on.
    """

    federation: str
    url: str
    username: str | None = None
    password: str | None = None
    mqtt: Version = "auto"
    profile: Profile = "standard"

    def __repr__(self) -> str:
        """Return the fields without the password."""
        return f"JoinFile(federation={self.federation!r}, url={self.url!r}, username={self.username!r})"

    def endpoint(self) -> Endpoint:
        """Return the broker as the transport wants it."""
        return Endpoint(
            url=self.url, username=self.username, password=self.password, mqtt=self.mqtt, profile=self.profile
        )


def read_join(path: Path) -> JoinFile:
    """Read a join file.

    Raises:
        SettingsError: Missing, unreadable or not a join file.
    """
    try:
        join = msgspec.json.decode(path.read_bytes(), type=JoinFile)
    except OSError as cause:
        raise SettingsError(
            f"cannot read {path}: {cause.strerror or cause}",
            remedy="copy join.json from the coordinator's folder, where `fedloge cloud start` writes it",
        ) from cause
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise SettingsError(
            f"{path} is no join file: {complaint(cause, JoinFile)}", remedy="copy join.json from the coordinator again"
        ) from cause
    check_name("federation", join.federation)
    return join
