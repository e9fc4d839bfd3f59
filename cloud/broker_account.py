"""The embedded broker's port and its one account: drawn once, kept readable by the owner only, reused after a crash."""

import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from shared.errors import BrokerError


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``broker.json`` holds; its ``repr`` hides the password.

    Attributes:
        port: On the loopback interface.
        username: Of the federation's one account.
        password: Likewise.
    """

    port: Annotated[int, Meta(ge=1, le=65535)]
    username: str
    password: str

    def __repr__(self) -> str:
        """Return the fields without the password."""
        return f"Account(port={self.port}, username={self.username!r})"


def draw_account(port: int) -> Account:
    """Draw credentials for a new broker."""
    return Account(port=port, username=f"federation-{secrets.token_hex(4)}", password=secrets.token_urlsafe(24))


def read_account(path: Path) -> Account:
    """Read ``broker.json``.

    Raises:
        BrokerError: It is missing or not one of ours.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Account)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise BrokerError(
            f"cannot read the embedded broker's account from {path}: {cause}",
            remedy="remove the file to draw a new port and password; agents then need the new join file",
        ) from cause
