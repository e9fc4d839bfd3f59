"""What a chaos run is asked for."""

from dataclasses import dataclass
from pathlib import Path

from cloud.chaos.profiles import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOptions:
    """One run.

    Attributes:
        profile: How bad the network is.
        file: The user's federation file, or None for the built-in federation.
        data: Images to deal; "" takes digits, or what the file evaluates on.
        agents: Clients, each a process of its own.
        out: Folder of the results; each run makes one of its own in it.
        limit_seconds: A run that takes longer hangs.
    """

    profile: Profile
    file: Path | None
    data: str
    agents: int
    out: Path
    limit_seconds: float
