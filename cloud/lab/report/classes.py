"""The classes of a run from head to tail, with the style of each one's group."""

from dataclasses import dataclass

from cloud.report.classes import classes_of, head_to_tail
from cloud.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOrder:
    """Label indexes from most to fewest training images, with names and groups in the same order."""

    labels: tuple[int, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]

    def mean_of(self, group: str, values: tuple[float, ...]) -> float | None:
        """Return the mean of a figure, given in label order, over a group's classes."""
        found = [values[label] for label, own in zip(self.labels, self.groups, strict=True) if own == group]
        return sum(found) / len(found) if found else None

    def legend(self) -> tuple[tuple[str, str], ...]:
        """Return the groups that occur."""
        return tuple((name, f"{name} classes") for name in ("head", "medium", "tail") if name in self.groups)


def class_order(result: Result, num_classes: int) -> ClassOrder:
    """Return the order of ``num_classes`` classes; in label order where nothing is known of them."""
    classes = classes_of(result)
    if len(classes) != num_classes:
        names = tuple(f"class {label}" for label in range(num_classes))
        return ClassOrder(labels=tuple(range(num_classes)), names=names, groups=("generic",) * num_classes)
    order = head_to_tail(classes)
    return ClassOrder(
        labels=tuple(order),
        names=tuple(classes[label].name for label in order),
        groups=tuple(classes[label].group or "generic" for label in order),
    )
