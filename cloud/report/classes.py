"""Class names along a picture's lower edge, and the order from head to tail that two pictures share."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.report.marks import label
from cloud.report.markup import shortened, text_width
from cloud.report.scale import label_step
from cloud.result import ClassAccuracy, Result

FONT_PIXELS = 12.0

MAX_TURNED_PIXELS = 96.0
"""Room for names that are written upwards because they are wider than their column."""


def classes_of(result: Result) -> list[ClassAccuracy]:
    """Return every class in label order, with its number of training images where either source knows it."""
    counts = [client.class_counts for client in result.pm.per_client if client.class_counts is not None]
    num_classes = max((len(own) for own in counts), default=0)
    totals = [sum(own[label] for own in counts if label < len(own)) for label in range(num_classes)]
    if result.gm is not None and result.gm.per_class:
        return list(result.gm.per_class)
    names = result.config.get("class_names")
    if not isinstance(names, list | tuple) or len(names) != num_classes:
        names = [f"class {label}" for label in range(num_classes)]
    return [ClassAccuracy(name=str(name), train_images=total) for name, total in zip(names, totals, strict=True)]


def head_to_tail(classes: Sequence[ClassAccuracy]) -> list[int]:
    """Return label indexes, most training images first; label order decides ties and where counts are unknown."""
    return sorted(range(len(classes)), key=lambda label: (-(classes[label].train_images or 0), label))


def turned(names: Sequence[str], slot: float) -> bool:
    """Say whether names must be written upwards to fit columns of ``slot`` pixels."""
    return max((text_width(name, FONT_PIXELS) for name in names), default=0) > slot - 4


def room_below(names: Sequence[str], slot: float) -> float:
    """Return the pixels that names need below the picture."""
    longest = max((text_width(name, FONT_PIXELS) for name in names), default=0)
    return min(MAX_TURNED_PIXELS, longest) + 8 if turned(names, slot) else 20.0


def class_labels(names: Sequence[str], slot: float, start: float, y: float) -> list[Element]:
    """Write names under columns of ``slot`` pixels that begin at ``start``; dense ones are thinned."""
    middles = [start + slot * (at + 0.5) for at in range(len(names))]
    if not turned(names, slot):
        return [label(x, y + 14, name, "middle", size=FONT_PIXELS) for x, name in zip(middles, names, strict=True)]
    step = label_step(slot, FONT_PIXELS)
    return [
        label(x + 4, y + 6, shortened(name, MAX_TURNED_PIXELS, FONT_PIXELS), "end", turned=True, size=FONT_PIXELS)
        for x, name in list(zip(middles, names, strict=True))[::step]
    ]
