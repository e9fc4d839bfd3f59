"""A federation file as text, every key with its meaning: the words are the settings' own docstrings, said once."""

import inspect
import json
import re
import textwrap
from typing import Any, Final

import msgspec
from msgspec import Struct

from cloud.settings import FederationFile

WIDTH: Final = 100
"""Columns of a comment line."""

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*)$")


def render(settings: FederationFile) -> str:
    """Return the federation file that reads back as ``settings``.

    Args:
        settings: Values to write; an absent optional key stands in a comment.
    """
    lines = ["# A FedLoGe federation. Every key stands here with its value; a key that is not known is an error.", ""]
    lines += _section(settings, "")
    return "\n".join(lines) + "\n"


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


def _section(section: Struct, prefix: str) -> list[str]:
    lines: list[str] = []
    nested: list[str] = []
    words = meanings(type(section))
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Struct):
            title = prefix + field.name
            nested += ["", *_comment((inspect.getdoc(type(value)) or "").splitlines()[0]), f"[{title}]"]
            nested += _section(value, f"{title}.")
            continue
        lines += _comment(words.get(field.name, ""))
        lines.append(f"# {field.name} =" if value is None else f"{field.name} = {_toml(value)}")
    return lines + nested


def _comment(words: str) -> list[str]:
    plain = words.replace("``", "`")
    return textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="# ") if plain else []


def _toml(value: Any) -> str:
    """Write one value; TOML's strings, numbers, booleans and arrays are written as JSON's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
