"""The help stays true: every command, option and exit code is described, in 80 columns, without loading torch."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from shared.cli import app, exit_code_table
from shared.command import split_examples
from shared.errors import EXIT_CODES

COLUMNS = 80
HEAVY = {"torch", "numpy", "sqlalchemy", "alembic", "onnx", "onnxruntime", "amqtt", "paho", "PIL", "matplotlib"}


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    if hasattr(command, "list_commands"):
        context = command.context_class(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app), ("fedloge",)))
LEAVES = [path for path, command in COMMANDS.items() if not hasattr(command, "list_commands")]


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Return a command's help as it stands in a terminal of 80 columns."""
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    def show(path: tuple[str, ...]) -> str:
        capfd.readouterr()
        app([*path[1:], "--help"], prog_name="fedloge", standalone_mode=False)
        return capfd.readouterr().out

    return show


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(path[1:]) for path in LEAVES} >= {
        *(
            "demo",
            "edge run",
            "export generic",
            "export personal",
            "export verify",
            "export split",
            "export bench",
            "export triton",
        ),
        *("cloud init", "cloud start", "cloud status", "cloud rounds", "cloud agents", "cloud models"),
        *("edge predict", "edge personalize", "edge models", "edge rollback"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_is_described(path: tuple[str, ...], help_of: Any) -> None:
    command = COMMANDS[path]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "hidden", False) or parameter.help, f"{parameter.name} of {path}"
    shown = help_of(path)
    assert command.help.split(".")[0].split()[0] in shown
    assert max(len(line) for line in shown.splitlines()) <= COLUMNS
    assert "install-completion" not in shown
    for name in getattr(command, "commands", ()):
        assert name in shown


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_example_stands_on_a_line_of_its_own_and_parses(path: tuple[str, ...], help_of: Any) -> None:
    command = COMMANDS[path]
    assert command.examples
    lines = [line.strip() for line in help_of(path).splitlines()]
    for example in command.examples:
        assert example in lines
        words = example.split()
        assert tuple(words[: len(path)]) == path
        command.make_context(path[-1], words[len(path) :])  # raises where an option does not exist


def test_the_first_help_lists_the_commands_the_way_through_and_the_exit_codes(help_of: Any) -> None:
    lines = help_of(("fedloge",)).splitlines()
    stripped = [line.strip() for line in lines]
    for path in COMMANDS:
        if len(path) == 2:
            assert any(line.startswith(f"│ {path[1]} ") for line in lines)
    for example in COMMANDS["fedloge",].examples:
        assert example in stripped
        words = example.split()
        assert tuple(words[:3]) in COMMANDS or tuple(words[:2]) in COMMANDS
    start = stripped.index("Exit codes:")
    assert stripped[-1] == ""
    assert [line.strip() for line in exit_code_table()] == stripped[start + 1 : -1], "compact, and last"


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    rows = {int(row.split()[0]): row.strip().split("  ", 1)[1] for row in exit_code_table()}
    assert {error.exit_code: error.meaning for error in EXIT_CODES}.items() <= rows.items()
    assert rows.keys() == {error.exit_code for error in EXIT_CODES} | {0, 130, 143}
    assert list(rows) == sorted(rows)


def test_every_error_has_a_documented_exit_code() -> None:
    pending = [EXIT_CODES[0]]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        assert kind.exit_code in {error.exit_code for error in EXIT_CODES}, kind
        assert kind.__doc__


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["cloud", "start", "--help"], ["demo", "--help"]])
def test_help_waits_for_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom shared.cli import app\n"
        f"app({words!r}, prog_name='fedloge', standalone_mode=False)\n"
        f"sys.exit(str(sorted({HEAVY!r} & set(sys.modules))) if {HEAVY!r} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_docstring_gives_its_examples_away_and_keeps_the_rest() -> None:
    text, examples = split_examples("One line.\n\n    More.\n\n    Example:\n        a b\n        c d\n    ")
    assert (text, examples) == ("One line.\n\nMore.", ("a b", "c d"))
    assert split_examples("No example: here.") == ("No example: here.", ())
    assert split_examples(None) == ("", ())
