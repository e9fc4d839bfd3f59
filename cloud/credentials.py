"""Credentials for the operator's own broker: from a file or the environment, never from the command line."""

import os
from pathlib import Path

from cloud.settings import BrokerSettings
from shared.endpoint import Endpoint
from shared.errors import SettingsError

PASSWORD_VARIABLE = "FEDLOGE_BROKER_PASSWORD"  # noqa: S105 - the variable's name, not a password
USERNAME_VARIABLE = "FEDLOGE_BROKER_USERNAME"


def external_endpoint(broker: BrokerSettings) -> Endpoint:
    """Return the operator's broker with its credentials.

    Raises:
        SettingsError: The password file cannot be read.
    """
    username = broker.username or os.environ.get(USERNAME_VARIABLE)
    if broker.password_file is None:
        return Endpoint(broker.url, username, os.environ.get(PASSWORD_VARIABLE), broker.mqtt, broker.profile)
    try:
        password = Path(broker.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as cause:
        raise SettingsError(
            f"cannot read broker.password_file {broker.password_file}: {getattr(cause, 'strerror', None) or cause}",
            remedy=f"mend the path or the file, or put the password into ${PASSWORD_VARIABLE}",
        ) from cause
    return Endpoint(broker.url, username, password, broker.mqtt, broker.profile)
