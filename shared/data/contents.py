"""What a folder holds, in one short phrase for messages that say what was found instead of what was expected."""

from pathlib import Path

_SHOWN = 6


def contents(directory: Path) -> str:
    """Return the first names in a folder, sub-folders with a slash behind; hidden ones are left out.

    Raises:
        OSError: The folder cannot be listed.
    """
    entries = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
    if not entries:
        return "it is empty"
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"found {', '.join(names[:_SHOWN])}{more}"
