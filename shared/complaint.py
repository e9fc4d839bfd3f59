"""What a decoder says about a file, as its writer would say it: the key first, and the key that was meant."""

import difflib
import re
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Struct

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>.*?)`(?: - at `\$\.?(?P<path>.*)`)?")
_MISSING: Final = re.compile(r"Object missing required field `(?P<key>.*?)`(?: - at `\$\.?(?P<path>.*)`)?")
_WRONG: Final = re.compile(r"(?P<what>.*) - at `\$\.?(?P<path>.*)`")


def complaint(cause: Exception, kind: type[Struct]) -> str:
    """Return a decoder's error in one line that begins with the key.

    Args:
        cause: From ``msgspec`` or the parser below it.
        kind: What was to be decoded.

    Returns:
        Such as ``training.batch_sise is no known key; did you mean batch_size?``.
    """
    words = " ".join(str(cause).split())
    if isinstance(cause, RecursionError):
        return "its values are nested too deeply"
    if not isinstance(cause, msgspec.ValidationError):
        return words
    if unknown := _UNKNOWN.fullmatch(words):
        near = difflib.get_close_matches(unknown["key"], _keys(kind, unknown["path"]), n=1)
        return f"{_dotted(unknown)} is no known key" + (f"; did you mean {near[0]}?" if near else "")
    if missing := _MISSING.fullmatch(words):
        return f"{_dotted(missing)} is missing"
    if wrong := _WRONG.fullmatch(words):
        return f"{wrong['path']}: {wrong['what'][0].lower()}{wrong['what'][1:]}"
    return words


def _dotted(match: re.Match[str]) -> str:
    return f"{match['path']}.{match['key']}" if match["path"] else match["key"]


def _keys(kind: type[Struct], path: str | None) -> tuple[str, ...]:
    """Return the keys of the section at a dotted path; of none where the path leads elsewhere."""
    section: Any = kind
    for part in path.split(".") if path else ():
        section = get_type_hints(section).get(part)
        if not (isinstance(section, type) and issubclass(section, Struct)):
            return ()
    return tuple(field.name for field in msgspec.structs.fields(section))
