"""Picture: the generic model class by class, from head to tail, over the number of training images."""

from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from cloud.report.classes import class_labels, classes_of, head_to_tail, room_below
from cloud.report.figure import Figure, Table
from cloud.report.marks import canvas, column, group, label, rule
from cloud.report.markup import text_width
from cloud.report.scale import Axis, column_width, ticks
from cloud.result import ClassAccuracy, GenericResult, Result
from cloud.words import count, percent

ACCURACY_PIXELS = 200.0
IMAGES_PIXELS = 110.0

TOP = 48.0
"""Pixels above 100 %, for the names of the groups."""


def per_class_figure(result: Result) -> Figure | None:
    """Return the picture, or None where the generic model was not evaluated per class."""
    gm = result.gm
    if gm is None or not any(entry.accuracy is not None for entry in gm.per_class):
        return None
    classes = [gm.per_class[label] for label in head_to_tail(classes_of(result))]
    words = caption(gm, classes)
    groups = [name for name in ("head", "medium", "tail") if any(entry.group == name for entry in classes)]
    legend = [(name, f"accuracy on {name} classes") for name in groups] or [("generic", "accuracy")]
    return Figure(
        name="classes",
        kicker="The generic model, from head to tail",
        heading=heading(gm),
        caption=words,
        legend=(*legend, ("faint", "training images of all clients together")),
        draw=lambda width: draw(gm, classes, width, "Bar chart of accuracy per class. " + words),
        table=Table(
            headings=("class", "group", "training images", "accuracy"),
            rows=tuple(
                (c.name, c.group or "-", "-" if c.train_images is None else str(c.train_images), percent(c.accuracy))
                for c in classes
            ),
            num_texts=2,
        ),
    )


def heading(gm: GenericResult) -> str:
    """Say what the tail costs."""
    if gm.head is None or gm.tail is None:
        return f"The generic model is right on {percent(gm.accuracy)} of the balanced images"
    lag = 100 * (gm.head - gm.tail)
    if lag <= 0:
        return f"Tail classes are no harder than head classes: {percent(gm.tail)} against {percent(gm.head)}"
    return f"Tail classes trail head classes by {lag:.1f} points"


def caption(gm: GenericResult, classes: Sequence[ClassAccuracy]) -> str:
    """Return the groups' accuracies, the range of training images and the hardest class."""
    groups = [f"{percent(v)} on {n} classes" for n in ("head", "medium", "tail") if (v := getattr(gm, n)) is not None]
    sentences = [f"One generic model for every client: {percent(gm.accuracy)} on balanced images"]
    sentences[0] += f", {', '.join(groups)}." if groups else "."
    known = [entry for entry in classes if entry.train_images is not None]
    if known:
        most, fewest = known[0], known[-1]
        sentences.append(
            f"All clients together hold {count(most.train_images or 0, 'training image')} of “{most.name}”"
            f" and {fewest.train_images} of “{fewest.name}”."
        )
    measured = [entry for entry in classes if entry.accuracy is not None]
    hardest = min(measured, key=lambda entry: entry.accuracy or 0.0)
    sentences.append(f"Hardest class: “{hardest.name}” with {percent(hardest.accuracy)}.")
    return " ".join(sentences)


def draw(gm: GenericResult, classes: Sequence[ClassAccuracy], width: int, alt: str) -> Element:
    """Draw accuracy upwards and training images downwards from one line, so that neither borrows the other's axis."""
    start, end = 44.0, width - 6.0
    slot = (end - start) / len(classes)
    names = [entry.name for entry in classes]
    most = max((entry.train_images or 0 for entry in classes), default=0)
    up = Axis(0, 1, TOP + ACCURACY_PIXELS, TOP)
    down = Axis(0, max(1, most), up.start + 6, up.start + 6 + (IMAGES_PIXELS if most else 0))
    grid = [rule(start, up(v), end, up(v), "grid") for v in ticks(1, 5)]
    grid += [label(start - 8, up(v) + 4, f"{100 * v:.0f}%", "end") for v in ticks(1, 5)]
    grid += [label(start - 8, down(v) + 4, f"{v:.0f}", "end") for v in ticks(most, 3)[1:]]
    bars = [_class(entry, start + slot * at, slot, up, down) for at, entry in enumerate(classes)]
    bottom = down.end + (18 if slot >= 26 and most else 4)
    return canvas(
        width,
        bottom + room_below(names, slot),
        alt,
        *grid,
        *_groups(gm, classes, start, slot, up),
        *bars,
        *class_labels(names, slot, start, bottom),
    )


def _class(entry: ClassAccuracy, left: float, slot: float, up: Axis, down: Axis) -> Element:
    width = column_width(slot)
    middle = left + slot / 2
    marks: list[Element] = []
    images = entry.train_images
    if entry.accuracy is not None:
        top = up(entry.accuracy)
        marks.append(column(middle, up.start, top, width, f"mark {entry.group or 'generic'}"))
        if slot >= 26:
            marks.append(label(middle, top - 5, f"{100 * entry.accuracy:.0f}", "middle strong halo", size=12))
    if images is not None:
        marks.append(column(middle, down.start, down(images), width, "mark faint"))
        if slot >= 26:
            marks.append(label(middle, down(images) + 14, str(images), "middle soft", size=12))
    tip = f"{entry.name}: {percent(entry.accuracy, missing='not measured')}"
    return group("", *marks, tip=tip if images is None else f"{tip}, {count(images, 'training image')}")


def _groups(gm: GenericResult, classes: Sequence[ClassAccuracy], start: float, slot: float, up: Axis) -> list[Element]:
    """Name each run of neighbouring classes of one group above the bars, with its mean as a line across them."""
    marks: list[Element] = []
    at = 0
    for name, run in groupby(classes, key=lambda entry: entry.group):
        size = len(list(run))
        left, right = start + slot * at + 2, start + slot * (at + size) - 2
        at += size
        mean = None if name is None else getattr(gm, name)
        if mean is None:
            continue
        marks.append(rule(left, up(mean), right, up(mean), "mean"))
        marks.append(rule(left, TOP - 26, right, TOP - 26, f"bracket {name}"))
        texts = (f"{name}: mean {percent(mean)}", f"{name} {100 * mean:.0f}%", f"{100 * mean:.0f}%")
        text = next((text for text in texts if text_width(text, 14.5) <= right - left), "")
        marks.append(label((left + right) / 2, TOP - 32, text, f"middle strong ink {name}"))
    return marks
