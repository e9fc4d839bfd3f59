"""The ``fedloge`` command: finds each sub-command by its entry point, and turns errors into lines and exit codes."""

import difflib
import importlib.metadata
import sys
from typing import Annotated, Any, Final

import typer

from shared.command import Group, echo_block, new_app
from shared.errors import EXIT_CODES, FedlogeError, UsageError
from shared.output import emit, note
from shared.signals import TERMINATED

EXTRAS: Final = {
    "sqlalchemy": "cloud",
    "alembic": "cloud",
    "amqtt": "cloud",
    "paho": "edge",
    "onnx": "edge",
    "onnxscript": "edge",
    "onnxruntime": "gpu",
    "sklearn": "lab",
    "joblib": "lab",
    "distributed": "dask",
    "torchmetrics": "lab",
    "scipy": "lab",
}
"""Which extra brings a module that was found missing."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: the shell's convention, 128 + SIGINT."""

_WRONG_USAGE: Final[Any] = typer.BadParameter.__base__
"""What typer raises for a command line that does not parse; which package defines it depends on typer's version."""


class RootGroup(Group):
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

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or suggest the nearest name."""
        near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
        if near and near[0] != args[0]:
            ctx.fail(f"no such command: {args[0]}; did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, then the exit codes."""
        super().format_help(ctx, formatter)
        echo_block("Exit codes:", exit_code_table())


def exit_code_table() -> tuple[str, ...]:
    """Return the exit codes and what they mean, one row each, made from the error classes."""
    meanings = {error.exit_code: error.meaning for error in EXIT_CODES}
    meanings |= {
        0: "done",
        INTERRUPTED: "interrupted by Ctrl-C: start again to resume",
        TERMINATED: "ended by SIGTERM: start again to resume",
    }
    return tuple(f"{code:>3}  {meaning}" for code, meaning in sorted(meanings.items()))


app = new_app(group=RootGroup)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fedloge {importlib.metadata.version('fedloge')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Personalized models for fleets of edge devices whose data is long-tailed.

    Example:
        fedloge demo
        fedloge cloud init federation.toml --data folder:images
        fedloge cloud start federation.toml
        fedloge edge run --join join.json --data folder:images --state agent
        fedloge export verify agent/personal.onnx
    """
    del version


def report(error: FedlogeError) -> int:
    """Print one line with the cause and one with the remedy; return the exit code."""
    message, remedy = _line(error.message), _line(error.remedy)
    note(f"error: {message}")
    if remedy:
        note(f"remedy: {remedy}")
    if "--json" in sys.argv:
        data = {"error": message, "remedy": remedy, "exit_code": error.exit_code}
        emit(data, as_json=True, status="error")
    return error.exit_code


def _line(text: str) -> str:
    """Return text as one line that any terminal and JSON can hold: a file's name may hold anything."""
    return " ".join(text.encode(errors="backslashreplace").decode().split())


def missing_extra(error: ModuleNotFoundError) -> FedlogeError | None:
    """Return what to say when a module of an extra is not installed, or None when it is none of those."""
    extra = EXTRAS.get((error.name or "").split(".")[0])
    if extra is None:
        return None
    return FedlogeError(f"{error.name} is not installed", remedy=f"pip install 'fedloge[{extra}]'")


def wrong_usage(error: Any) -> UsageError | None:
    """Return typer's complaint about a command line in our words, or None where it has shown the help instead."""
    message = str(error.format_message()).strip().rstrip(".")
    if not message or type(error).__name__ == "NoArgsIsHelpError":
        return None
    command = "fedloge" if error.ctx is None else error.ctx.command_path
    return UsageError(message[0].lower() + message[1:], remedy=f"see: {command} --help")


def main() -> None:
    """Run the command line; expected errors end in one line and their exit code, others keep their traceback."""
    try:
        code = app(prog_name="fedloge", standalone_mode=False) or 0
    except FedlogeError as error:
        code = report(error)
    except _WRONG_USAGE as error:
        wrong = wrong_usage(error)
        code = UsageError.exit_code if wrong is None else report(wrong)
    except ModuleNotFoundError as error:
        expected = missing_extra(error)
        if expected is None:
            raise
        code = report(expected)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as leaving:  # raised by the handler of SIGTERM, after every `finally` block has run
        code = leaving.code
    if code in {INTERRUPTED, TERMINATED}:
        note("interrupted" if code == INTERRUPTED else "ended by SIGTERM")
    sys.exit(code)


if __name__ == "__main__":
    main()
