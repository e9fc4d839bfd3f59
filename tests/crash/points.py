"""Crash points as tests name them: who passes which place with what."""

import re
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from shared.crash_points import Place

_DIGEST = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{8}\.part)?")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One place, seen from one process: ``coordinator sql.commit begin``."""

    who: str
    place: Place
    noun: str

    def __str__(self) -> str:
        return f"{self.who}-{self.place}-{self.noun}"


def noun_of(concerning: object) -> str:
    """Name the kind of what a place concerns: any blob of a folder is one kind, any message of a class another."""
    if isinstance(concerning, Path):
        return concerning.parent.name if _DIGEST.fullmatch(concerning.name) else concerning.name.strip(".")
    if isinstance(concerning, Struct):
        state = getattr(concerning, "state", "")
        return f"{type(concerning).__name__} {state}".strip()
    return "blob" if _DIGEST.fullmatch(str(concerning)) else str(concerning)
