"""Who is to die where, as files that several processes and all their lives share."""

from pathlib import Path

import msgspec

from shared.crash_points import Place
from tests.crash.points import Point, noun_of
from tests.killed import kill_myself

COMMITTED = Point("coordinator", "sql.committed", "commit")


class Script:
    """Deaths in order: the next one is armed when the one before has happened.

    Args:
        folder: Holds the script and what has become of it.
        me: The process that passes points here.
    """

    def __init__(self, folder: Path, me: str) -> None:
        self._folder = folder
        self._me = me
        self._points = msgspec.json.decode((folder / "script.json").read_bytes(), type=list[Point])
        self._settle_until = int((folder / "settle").read_text())

    @classmethod
    def write(cls, folder: Path, points: list[Point], *, settle_until: int) -> None:
        """Write a script.

        Args:
            folder: Made here.
            points: In order.
            settle_until: Before each of this many first points a round is committed without a death.
        """
        folder.mkdir(parents=True)
        (folder / "script.json").write_bytes(msgspec.json.encode(points))
        (folder / "settle").write_text(str(settle_until))
        (folder / "settled-0").touch()

    @staticmethod
    def happened(folder: Path) -> int:
        """Return how many have died."""
        return len(list(folder.glob("died-*")))

    def watch(self, place: Place, concerning: object) -> None:
        """Die by SIGKILL where the script says so."""
        current = self.happened(self._folder)
        if current >= len(self._points):
            return
        point = Point(self._me, place, noun_of(concerning))
        armed = current >= self._settle_until or (self._folder / f"settled-{current}").exists()
        if armed and point == self._points[current]:
            (self._folder / f"died-{current}").touch()
            kill_myself()
        if point == COMMITTED:
            (self._folder / f"settled-{current}").touch()
