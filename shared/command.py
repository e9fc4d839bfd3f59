"""How every command looks: its help from its docstring, whose example lines are shown as they stand, to copy."""

import inspect
import re
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

_EXAMPLES: Final = re.compile(r"\n+Examples?:\n")


def split_examples(text: str | None) -> tuple[str, tuple[str, ...]]:
    """Take a docstring's section ``Example:`` off its end.

    Args:
        text: A docstring; the section's heading stands alone on its line.

    Returns:
        The text before the section, and the section's lines without their indentation.
    """
    before, *section = _EXAMPLES.split(inspect.cleandoc(text or ""), maxsplit=1)
    return before, tuple(line.strip() for part in section for line in part.splitlines() if line.strip())


class _WithExamples:
    """Shows a docstring's examples below the options, one line each, never wrapped."""

    examples: tuple[str, ...]

    def __init__(self, *args: Any, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - typer's name
        text, self.examples = split_examples(help)
        super().__init__(*args, help=text, **kwargs)  # type: ignore[call-arg]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, then the examples."""
        super().format_help(ctx, formatter)  # type: ignore[misc]
        echo_block("Examples:" if len(self.examples) > 1 else "Example:", self.examples)


class Command(_WithExamples, TyperCommand):
    """A command with examples."""


class Group(_WithExamples, TyperGroup):
    """A group of commands with examples."""


def echo_block(title: str, lines: tuple[str, ...]) -> None:
    """Print lines below a title, indented like the rest of the help; nothing without lines."""
    if lines:
        typer.echo("\n".join(["", f" {title}", *(f"   {line}" for line in lines)]))


def new_app(*, group: type[Group] = Group, no_args_is_help: bool = True) -> typer.Typer:
    """Return an app whose errors keep their plain traceback, and which installs nothing into anybody's shell.

    Args:
        group: Class of the command that holds the others.
        no_args_is_help: Show the help when nothing else is asked for.
    """
    return typer.Typer(cls=group, no_args_is_help=no_args_is_help, pretty_exceptions_enable=False, add_completion=False)
