"""What a bad network does, by name."""

import math
from dataclasses import dataclass
from typing import Final

from shared.limits import KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way for every connection to be bad.

    Attributes:
        name: For the command line.
        meaning: For people.
        one_way_seconds: Delay of every byte, each way.
        bytes_per_second: What a connection carries, each way.
        cut_after_bytes: A connection that has carried this much is cut; 0 is never.
        cuts: Connections that are cut in all: a model of any size gets through afterwards.
        flap_seconds: All connections are cut this often; 0 is never.
        down_seconds: For how long nobody can connect after such a cut.
        off_seconds: Silence, in which bytes wait and no end hears of it; by turns with ``on_seconds``.
        on_seconds: The other turn; 0 is always on.
    """

    name: str
    meaning: str
    one_way_seconds: float = 0.0
    bytes_per_second: float = math.inf
    cut_after_bytes: int = 0
    cuts: int = 0
    flap_seconds: float = 0.0
    down_seconds: float = 0.0
    off_seconds: float = 0.0
    on_seconds: float = 0.0


UNDISTURBED: Final = Profile(name="none", meaning="no fault: what every fault is held against")

PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(name="latency", meaning="200 ms round trip", one_way_seconds=0.1),
        Profile(name="bandwidth", meaning="256 KiB/s per connection", bytes_per_second=256 * KIB),
        Profile(name="cut", meaning="a connection breaks after 700 KiB, 12 times", cut_after_bytes=700 * KIB, cuts=12),
        Profile(name="flap", meaning="all connections break every 5 s, for 1 s", flap_seconds=5.0, down_seconds=1.0),
        Profile(name="offline", meaning="4 s of silence after every 5 s", off_seconds=4.0, on_seconds=5.0),
        Profile(
            name="satellite", meaning="600 ms round trip, 1 MiB/s", one_way_seconds=0.3, bytes_per_second=1024 * KIB
        ),
        Profile(name="3g", meaning="100 ms round trip, 200 KiB/s", one_way_seconds=0.05, bytes_per_second=200 * KIB),
    )
}
"""By name; each is what an operator can meet, and long enough to bite in a federation of a minute."""
