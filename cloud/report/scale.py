"""From values to pixels: linear axes, round ticks and thinned labels."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.limits import KIB, MIB

WIDE: Final = 960
"""Width in pixels of a picture on a desktop: that of the report's text column."""

NARROW: Final = 400
"""Width of the same picture drawn for a phone, where shrinking the wide one would make its text unreadable."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear map from [low, high] to pixels [start, end]; a single value lands in the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def column_width(slot: float) -> float:
    """Return the width of a bar in a slot of ``slot`` pixels: slim in a wide one, touching where gaps would flicker."""
    return slot if slot < 4 else min(56.0, 0.76 * slot)


def round_step(high: float, intervals: int) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that covers 0..high in at most ``intervals`` steps."""
    rough = max(high, 1e-12) / intervals
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def ticks(high: float, intervals: int) -> list[float]:
    """Return round values from 0 up to at most ``high``."""
    step = round_step(high, intervals)
    return [index * step for index in range(int(high / step + 1e-9) + 1)]


def span_ticks(low: float, high: float, intervals: int) -> list[float]:
    """Return round values within [low, high], the range of ``widened`` among others; none may be 0."""
    step = round_step(high - low, intervals + 2)  # widening adds up to two steps
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def widened(values: Iterable[float], intervals: int, *, least: float) -> tuple[float, float]:
    """Return the range of the values, at least ``least`` (positive) wide, with both ends moved out to round values."""
    known = list(values)
    low, high = min(known), max(known)
    missing = max(0.0, least - (high - low)) / 2
    step = round_step(max(high - low, least), intervals)
    return math.floor((low - missing) / step + 1e-9) * step, math.ceil((high + missing) / step - 1e-9) * step


def byte_ticks(high: float, intervals: int) -> list[float]:
    """Return values from 0 up to at most ``high`` that are round in the unit they are shown in."""
    unit = 1 if high < KIB else KIB if high < MIB else MIB
    return [value * unit for value in ticks(high / unit, intervals)]


def label_step(slot_pixels: float, label_pixels: float) -> int:
    """Return how many slots one label needs, as 1, 2, 5, 10, 20 and so on: which labels of a dense axis to show."""
    return max(1, int(round_step(max(1.0, label_pixels / max(slot_pixels, 1e-9)), 1)))
