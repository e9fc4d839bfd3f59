"""Where to write names beside the points of a scatter plot, so that they hide neither points nor each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from cloud.report.marks import label, rule
from cloud.report.markup import text_width

FONT_PIXELS = 12.5

HEIGHT_PIXELS = 14.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def around(x: float, y: float, radius: float) -> Box:
    """Return the box around a point."""
    return Box(x - radius, y - radius, x + radius, y + radius)


def placed(
    names: Sequence[tuple[float, float, str, str]], taken: Sequence[Box], bounds: Box, gap: float = 10.0
) -> list[Element]:
    """Return each name beside its point where it covers least, with a thin line to the point where it stands far off.

    A name never covers another one; one that finds no place at all is left out: the table below the picture has it.

    Args:
        names: (x, y, text, style class), the most important first; a text may have several lines.
        taken: What should not be covered.
        bounds: Names stay inside.
        gap: Pixels between a point and its name.
    """
    written: list[Box] = []
    marks: list[Element] = []
    for x, y, text, style in names:
        lines = text.split("\n")
        width = max(text_width(line, FONT_PIXELS) for line in lines)
        best: tuple[float, Box, float] | None = None
        for reach, box in _options(x, y, (width, HEIGHT_PIXELS * len(lines)), gap):
            if not _inside(box, bounds) or any(box.overlap(other) for other in written):
                continue
            cost = reach + sum(box.overlap(other) for other in taken)
            if best is None or cost < best[0]:
                best = (cost, box, reach)
        if best is None:
            continue
        _, box, reach = best
        written.append(box)
        if reach > 2 * gap:
            end = min(max(x, box.left), box.right)
            marks.append(rule(x, y, end, box.bottom - 2 if box.bottom < y else box.top + 4, "leader"))
        for at, line in enumerate(lines):
            baseline = box.top + HEIGHT_PIXELS * (at + 1) - 3
            marks.append(label(box.left, baseline, line, f"halo {style}", size=FONT_PIXELS))
    return marks


def _options(x: float, y: float, size: tuple[float, float], gap: float) -> list[tuple[float, Box]]:
    """Return distances and places around a point: beside, above, below, aslant."""
    found = []
    width, height = size
    for reach in (gap, 2 * gap, 3 * gap, 5 * gap, 7 * gap, 10 * gap):
        for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
            middle_y = y + down * ((reach if across == 0 else 0.8 * reach) + (height - HEIGHT_PIXELS) / 2)
            left = x + reach if across == 1 else x - reach - width if across == -1 else x - width / 2
            box = Box(left, middle_y - height / 2, left + width, middle_y + height / 2)
            found.append((reach, box))
    return found


def _inside(box: Box, bounds: Box) -> bool:
    across = box.left >= bounds.left and box.right <= bounds.right
    return across and box.top >= bounds.top and box.bottom <= bounds.bottom
