"""The ``fedloge cloud`` commands: parse, call, print."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.errors import ArtifactError, RoundError
from shared.output import emit, log_to_stderr

if TYPE_CHECKING:
    from cloud.store.contract import RoundStore

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run the coordinator: it trains the shared model and records every round in SQL.",
)

FileArgument = Annotated[Path, typer.Argument(help="The federation file.")]
FileOption = Annotated[Path, typer.Option("--file", "-f", help="The federation file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON envelope on stdout.")]


@app.callback()
def cloud() -> None:
    """Run the coordinator: it trains the shared model and records every round in SQL."""


@app.command()
def init(
    file: FileArgument = Path("federation.toml"),
    *,
    classes: Annotated[str, typer.Option(help="Class names in label order, separated by commas.")] = "",
    data: Annotated[str, typer.Option(help="Read class names, image size and channels from a data spec.")] = "",
    name: Annotated[str, typer.Option(help="Name of the federation.")] = "my-federation",
    clients: Annotated[int, typer.Option(min=1, help="Clients to wait for before round 1.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds to train.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Write a federation file in which every key stands with its meaning.

    Example:  fedloge cloud init federation.toml --data folder:images --clients 4
    """
    from cloud.draft import draft  # noqa: PLC0415 - reading images loads torch
    from cloud.template import render  # noqa: PLC0415
    from shared.blobs import write_durably  # noqa: PLC0415

    if file.exists():
        raise ArtifactError(f"{file} exists and is not overwritten", remedy="choose another name or remove it")
    settings = draft(name=name, classes=classes, data=data, clients=clients, rounds=rounds)
    write_durably(file, render(settings).encode())
    emit(
        {"file": str(file), "class_names": list(settings.class_names)},
        as_json=as_json,
        text=f"wrote {file}; next: fedloge cloud start {file}",
    )


@app.command()
def start(
    file: FileArgument = Path("federation.toml"),
    *,
    exit_with_parent: Annotated[bool, typer.Option("--exit-with-parent", hidden=True)] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the coordinator until the federation is complete; started again, it resumes.

    Writes join.json into the store's folder and prints the line that starts an agent.

    Example:  fedloge cloud start federation.toml
    """
    from cloud.start import start as run  # noqa: PLC0415
    from cloud.status import status as figures  # noqa: PLC0415
    from shared.lifeline import end_with_parent  # noqa: PLC0415
    from shared.signals import exit_on_sigterm  # noqa: PLC0415

    exit_on_sigterm()
    if exit_with_parent:
        end_with_parent()
    log_to_stderr(logging.WARNING)
    store = run(file)
    try:
        data = figures(store)
    finally:
        store.close()
    emit(data, as_json=as_json, text=f"federation {data['federation']} is {data['state']}")


@app.command()
def status(*, file: FileOption = Path("federation.toml"), as_json: JsonOption = False) -> None:
    """Show what the federation does now and what it waits for; works beside a running coordinator.

    Example:  fedloge cloud status --file federation.toml
    """
    from cloud.status import status as figures  # noqa: PLC0415
    from cloud.tables_text import status_table  # noqa: PLC0415

    data = figures(_reader(file))
    emit(data, as_json=as_json, text=status_table(data))


@app.command()
def rounds(
    number: Annotated[int | None, typer.Argument(min=1, help="Show one round in detail.")] = None,
    *,
    file: FileOption = Path("federation.toml"),
    as_json: JsonOption = False,
) -> None:
    """Show the rounds, or one of them: who took part, who was missing or refused and why.

    Example:  fedloge cloud rounds 3 --file federation.toml
    """
    from cloud.status import round_detail  # noqa: PLC0415
    from cloud.status import rounds as figures  # noqa: PLC0415
    from cloud.tables_text import round_table, rounds_table  # noqa: PLC0415

    store = _reader(file)
    if number is None:
        data = figures(store)
        emit(data, as_json=as_json, text=rounds_table(data))
        return
    detail = round_detail(store, number)
    if detail is None:
        raise RoundError(f"round {number} has not begun", remedy="see `fedloge cloud rounds` for those that have")
    emit(detail, as_json=as_json, text=round_table(detail))


@app.command()
def agents(*, file: FileOption = Path("federation.toml"), as_json: JsonOption = False) -> None:
    """Show the clients: when they came, when they were last seen, what they contributed.

    Example:  fedloge cloud agents --file federation.toml
    """
    from cloud.status import agents as figures  # noqa: PLC0415
    from cloud.tables_text import agents_table  # noqa: PLC0415

    data = figures(_reader(file))
    emit(data, as_json=as_json, text=agents_table(data))


def _reader(file: Path) -> "RoundStore":
    """Open a federation's database for reading only."""
    from cloud.settings import paths_of, read_federation  # noqa: PLC0415
    from cloud.store.sql import open_reader  # noqa: PLC0415

    return open_reader(paths_of(file, read_federation(file)).database)
