"""A federation file as text, every key with its meaning: the words are the settings' own docstrings, said once."""

import inspect
import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from cloud.settings import FederationFile

WIDTH: Final = 100
"""Columns of a comment line."""

_HEADER: Final = (
    "# A FedLoGe federation. Every key stands here with its value; one that is removed takes its default,",
    "# and one that is not known is an error. Start with: fedloge cloud start FILE",
    "# Once it has started, a change of anything that decides the shared model is refused by its name.",
)

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*)$")


def render(settings: FederationFile) -> str:
    """Return the federation file that reads back as ``settings``.

    Args:
        settings: Values to write; an absent optional key stands in a comment with an example of its value.
    """
    return "\n".join([*_HEADER, "", *_section(settings, "")]) + "\n"


def meanings(section: type[Struct]) -> dict[str, str]:
    """Return what each key of a section means, from its class's docstring."""
    found: dict[str, str] = {}
    current = ""
    for line in (inspect.getdoc(section) or "").partition("Attributes:")[2].splitlines():
        match = _ATTRIBUTE.match(line)
        if match:
            current = match[1]
            found[current] = match[2]
        elif current and line.strip():
            found[current] += " " + line.strip()
    return found


def examples(settings: FederationFile) -> dict[str, Any]:
    """Return a value for every key that may be absent, by dotted key, as its reader could use it."""
    return {
        "class_counts": tuple(100 for _ in settings.class_names),
        "evaluation.data": "folder:test-images",
        "broker.username": "coordinator",
        "broker.password_file": "broker-password.txt",
    }


def _section(section: Struct, prefix: str, shown: Mapping[str, Any] | None = None) -> list[str]:
    lines: list[str] = []
    nested: list[str] = []
    words, types = meanings(type(section)), get_type_hints(type(section))
    shown = examples(section) if isinstance(section, FederationFile) else shown or {}
    for field in msgspec.structs.fields(section):
        value, key = getattr(section, field.name), prefix + field.name
        if isinstance(value, Struct):
            nested += ["", *_comment((inspect.getdoc(type(value)) or "").splitlines()[0]), f"[{key}]"]
            nested += _section(value, f"{key}.", shown)
            continue
        lines += _comment(" ".join([words.get(field.name, ""), *_choices(types[field.name])]).strip())
        lines.append(f"# {field.name} = {_toml(shown[key])}" if value is None else f"{field.name} = {_toml(value)}")
    return lines + nested


def _choices(kind: Any) -> list[str]:
    """Return the sentence that lists what a key may be, for one that takes some words or numbers only."""
    values = get_args(kind) if get_origin(kind) is Literal else ()
    return ["One of: " + ", ".join(json.dumps(value) for value in values) + "."] if values else []


def _comment(words: str) -> list[str]:
    plain = words.replace("``", "`")
    return textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="# ") if plain else []


def _toml(value: Any) -> str:
    """Write one value; TOML's strings, numbers, booleans and arrays are JSON's, which leaves DEL as it is."""
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
