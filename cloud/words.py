"""Numbers as people read them; the terminal and the report say them the same way."""

from collections.abc import Sequence

from shared.limits import KIB, MIB


def percent(accuracy: float | None, *, missing: str = "-") -> str:
    """Return an accuracy in 0..1 as "91.2%", or ``missing``."""
    return missing if accuracy is None else f"{100 * accuracy:.1f}%"


def gain(difference: float | None, *, missing: str = "-") -> str:
    """Return a difference of accuracies in signed percentage points, such as "+6.3", or ``missing``."""
    return missing if difference is None else f"{100 * difference:+.1f}"


def size(num_bytes: float) -> str:
    """Return a number of bytes with a binary unit and three digits."""
    if num_bytes < KIB:
        return f"{num_bytes:.0f} B"
    value, unit = (num_bytes / KIB, "KiB") if num_bytes < MIB else (num_bytes / MIB, "MiB")
    if value >= KIB:
        value, unit = value / KIB, "GiB"
    return f"{value:.{0 if value >= 100 else 1}f} {unit}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 client", "6 clients"; ``plural`` where an s is not enough."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listing(names: Sequence[str], *, limit: int = 3) -> str:
    """Return "a, b and c", or the first ``limit`` "and 5 more"."""
    shown = list(names[:limit])
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""
