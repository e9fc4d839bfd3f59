"""Every expected failure, its exit code and its remedy.

::

    FedlogeError                 1   anything expected that has no narrower class
    ├── UsageError               2   a command line that does not parse
    ├── SettingsError            3   federation file, join file or option
    ├── DataError                4   images: folder, class, unreadable file
    ├── BrokerError              5   unreachable, refused credentials, taken port
    ├── StoreError               6   database or journal: read-only, newer schema
    │   └── AlreadyRunningError  6   a second process on one database or state directory
    ├── RoundError               7   quorum missed, nobody joined, nothing committed yet
    ├── ExportError              8   a model was refused
    │   ├── VerificationError    8   an exported file is not what its record says
    │   └── GateRefusedError     8   a new model is worse than the one that serves
    ├── ArtifactError            9   a file could not be written: disk full, no permission
    ├── WireError               10   bytes from a peer that break the protocol
    │   ├── MessageError        10   a control message that does not parse
    │   ├── TransferError       10   a manifest, a chunk or a blob that does not fit
    │   └── UpdateRejectedError 10   an update that does not fit its round; carries a reason code
    └── ReplayError             11   a replay gave another model than the record

Exit codes 0 (done), 2 (usage), 130 (Ctrl-C) and 143 (SIGTERM) are the shell's conventions; an unexpected error keeps
its traceback and exits with 1.
"""

from typing import ClassVar


class FedlogeError(Exception):
    """An expected failure: one line that names the cause, one that names the remedy.

    Args:
        message: What was expected, what came, and which tensor, client, round or file.
        remedy: What the reader can do about it; empty where nothing can be done.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "a failure without a number of its own; with a traceback: our fault"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(FedlogeError):
    """The command line does not parse."""

    exit_code = 2
    meaning = "wrong usage of the command line: see the command's --help"


class SettingsError(FedlogeError):
    """The federation file, the join file or an option does not fit."""

    exit_code = 3
    meaning = "federation file, join file or option does not fit: the message names it"


class DataError(FedlogeError):
    """The images cannot be used as they are."""

    exit_code = 4
    meaning = "images missing, unreadable or of an unknown class: the message names it"


class BrokerError(FedlogeError):
    """The MQTT broker cannot be used."""

    exit_code = 5
    meaning = "broker unreachable, login refused or port taken: check URL and join.json"


class StoreError(FedlogeError):
    """The database or the journal cannot be used."""

    exit_code = 6
    meaning = "database or journal read-only, of a newer version, foreign, or in use"


class AlreadyRunningError(StoreError):
    """Another process holds the database or the state directory."""


class RoundError(FedlogeError):
    """A round could not be closed; starting again resumes it."""

    exit_code = 7
    meaning = "a round missed its quorum, or nothing is committed yet: start again"


class ExportError(FedlogeError):
    """A model was refused: it could not be shown to compute what PyTorch computes."""

    exit_code = 8
    meaning = "a model was refused, or a file is not what its record says: export again"


class VerificationError(ExportError):
    """An exported file is not what its record says."""


class GateRefusedError(ExportError):
    """A new model is worse than the one that serves, which goes on serving."""


class ArtifactError(FedlogeError):
    """A file could not be written; what stood there before still stands."""

    exit_code = 9
    meaning = "a file could not be written: free space, or choose another folder"


class WireError(FedlogeError):
    """Bytes from a peer break the protocol."""

    exit_code = 10
    meaning = "a peer broke the protocol: see the log of this process"


class MessageError(WireError):
    """A control message does not parse."""


class TransferError(WireError):
    """A manifest, a chunk or a blob does not fit."""


class UpdateRejectedError(WireError):
    """An update does not fit its round.

    Args:
        reason: Stable code recorded in SQL and shown to the operator, such as ``not-finite``.
        message: The same for people, with the tensor, the expected and the found value.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ReplayError(FedlogeError):
    """A recorded federation trained again gave another model."""

    exit_code = 11
    meaning = "a replay gave another model than the record: the message names the round"


EXIT_CODES: tuple[type[FedlogeError], ...] = (
    FedlogeError,
    UsageError,
    SettingsError,
    DataError,
    BrokerError,
    StoreError,
    RoundError,
    ExportError,
    ArtifactError,
    WireError,
    ReplayError,
)
"""One class per exit code, in order; the command line's help is made from it."""
