"""The ``fedloge`` command: finds each sub-command by its entry point, and turns errors into lines and exit codes."""

import importlib.metadata
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from shared.errors import EXIT_CODES, FedlogeError
from shared.output import emit, note

EXTRAS = {
    "sqlalchemy": "cloud",
    "alembic": "cloud",
    "amqtt": "cloud",
    "paho": "edge",
    "onnx": "edge",
    "onnxscript": "edge",
    "onnxruntime": "gpu",
    "sklearn": "demo",
}
"""Which extra brings a module that was found missing."""

INTERRUPTED = 130
"""Exit code after Ctrl-C: the shell's convention, 128 + SIGINT."""


class EntryPointGroup(TyperGroup):
    """Commands registered under ``fedloge.commands``, each loaded when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names in alphabetical order."""
        del ctx
        return sorted(point.name for point in importlib.metadata.entry_points(group="fedloge.commands"))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command, or return None for an unknown name."""
        del ctx
        for point in importlib.metadata.entry_points(group="fedloge.commands", name=cmd_name):
            command = typer.main.get_command(point.load())
            command.name = cmd_name
            return command
        return None


def exit_code_table() -> str:
    """Return the exit codes as lines for the help text, made from the error classes."""
    rows = ["0   done", "2   wrong usage of the command line"]
    rows += [f"{error.exit_code:<3} {error.meaning}" for error in EXIT_CODES]
    rows.append(f"{INTERRUPTED} interrupted")
    return "\n".join(rows)


app = typer.Typer(
    cls=EntryPointGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes:\n\n" + exit_code_table().replace("\n", "\n\n"),
)


@app.callback()
def root() -> None:
    """Personalized models for fleets of edge devices whose data is long-tailed.

    Start with:  fedloge demo
    """


def report(error: FedlogeError) -> int:
    """Print one line with the cause and one with the remedy; return the exit code."""
    note(f"error: {error.message}")
    if error.remedy:
        note(f"remedy: {error.remedy}")
    if "--json" in sys.argv:
        data = {"error": error.message, "remedy": error.remedy, "exit_code": error.exit_code}
        emit(data, as_json=True, status="error")
    return error.exit_code


def missing_extra(error: ModuleNotFoundError) -> FedlogeError | None:
    """Return what to say when a module of an extra is not installed, or None when it is none of those."""
    extra = EXTRAS.get((error.name or "").split(".")[0])
    if extra is None:
        return None
    return FedlogeError(f"{error.name} is not installed", remedy=f"pip install 'fedloge[{extra}]'")


def main() -> None:
    """Run the command line; expected errors end in one line and their exit code, others keep their traceback."""
    try:
        app(prog_name="fedloge")
    except FedlogeError as error:
        sys.exit(report(error))
    except KeyboardInterrupt:
        note("interrupted")
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        expected = missing_extra(error)
        if expected is None:
            raise
        sys.exit(report(expected))


if __name__ == "__main__":
    main()
