"""The ``fedloge cloud`` commands: parse, call, print."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.command import Command, new_app
from shared.errors import ArtifactError, RoundError
from shared.output import emit, log_to_stderr

if TYPE_CHECKING:
    from cloud.store.contract import RoundStore

app = new_app()

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The federation file.")]
FileOption = Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="The federation file.")]
JsonOption = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")]


@app.callback()
def cloud() -> None:
    """Run the coordinator: it trains the shared model and records every round in SQL."""


@app.command(cls=Command)
def init(
    file: FileArgument = Path("federation.toml"),
    *,
    classes: Annotated[
        str, typer.Option(metavar="A,B,…", help="Class names in label order, or --data to read them from images.")
    ] = "",
    data: Annotated[
        str,
        typer.Option(metavar="SPEC", help="Images to take class names, size and channels from: digits or folder:DIR."),
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the federation.")] = "my-federation",
    clients: Annotated[int, typer.Option(metavar="N", min=1, help="Clients to wait for before round 1.")] = 2,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Rounds to train.")] = 20,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="Method to train by; `fedloge lab methods` lists them.")
    ] = "fedloge",
    as_json: JsonOption = False,
) -> None:
    """Write a federation file in which every key stands with its meaning.

    Example:
        fedloge cloud init federation.toml --data folder:images --clients 4
        fedloge cloud init federation.toml --classes cat,dog,fox
    """
    from cloud.draft import draft  # noqa: PLC0415 - reading images loads torch
    from cloud.template import render  # noqa: PLC0415
    from shared.blobs import write_durably  # noqa: PLC0415

    if file.exists():
        raise ArtifactError(f"{file} exists and is not overwritten", remedy="choose another name or remove it")
    settings = draft(name=name, classes=classes, data=data, clients=clients, rounds=rounds, method=method)
    write_durably(file, render(settings).encode())
    emit(
        {"file": str(file), "class_names": list(settings.class_names)},
        as_json=as_json,
        text=f"wrote {file}; next: fedloge cloud start {file}",
    )


@app.command(cls=Command)
def start(
    file: FileArgument = Path("federation.toml"),
    *,
    exit_with_parent: Annotated[bool, typer.Option("--exit-with-parent", hidden=True)] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the coordinator until the federation is complete; started again, it resumes.

    Writes join.json into the store's folder and prints the line that starts an agent.

    Example:
        fedloge cloud start federation.toml
    """
    from shared.lifeline import end_with_parent  # noqa: PLC0415
    from shared.signals import exit_on_sigterm  # noqa: PLC0415

    exit_on_sigterm()
    if exit_with_parent:
        end_with_parent()  # before torch is loaded: a parent that dies meanwhile is noticed in time
    from cloud.start import start as run  # noqa: PLC0415
    from cloud.status import status as figures  # noqa: PLC0415

    log_to_stderr(logging.WARNING)
    store = run(file)
    try:
        data = figures(store)
    finally:
        store.close()
    emit(data, as_json=as_json, text=f"federation {data['federation']} is {data['state']}")


@app.command(cls=Command)
def status(*, file: FileOption = Path("federation.toml"), as_json: JsonOption = False) -> None:
    """Show what the federation does now and what it waits for; works beside a running coordinator.

    Example:
        fedloge cloud status --file federation.toml
    """
    from cloud.status import status as figures  # noqa: PLC0415
    from cloud.tables_text import status_table  # noqa: PLC0415

    with _reader(file) as (store, running):
        data = figures(store, running=running)
    emit(data, as_json=as_json, text=status_table(data))


@app.command(cls=Command)
def rounds(
    number: Annotated[int | None, typer.Argument(metavar="N", min=1, help="Show one round in detail.")] = None,
    *,
    file: FileOption = Path("federation.toml"),
    as_json: JsonOption = False,
) -> None:
    """Show the rounds, or one of them: who took part, who was missing or refused and why.

    Example:
        fedloge cloud rounds --file federation.toml
        fedloge cloud rounds 3 --file federation.toml
    """
    from cloud.status import round_detail  # noqa: PLC0415
    from cloud.status import rounds as figures  # noqa: PLC0415
    from cloud.tables_text import round_table, rounds_table  # noqa: PLC0415

    with _reader(file) as (store, _):
        if number is None:
            data = figures(store)
            emit(data, as_json=as_json, text=rounds_table(data))
            return
        detail = round_detail(store, number)
    if detail is None:
        raise RoundError(f"round {number} has not begun", remedy="see `fedloge cloud rounds` for those that have")
    emit(detail, as_json=as_json, text=round_table(detail))


@app.command(cls=Command)
def agents(*, file: FileOption = Path("federation.toml"), as_json: JsonOption = False) -> None:
    """Show the clients: when they came, when they were last seen, what they contributed.

    Example:
        fedloge cloud agents --file federation.toml
    """
    from cloud.status import agents as figures  # noqa: PLC0415
    from cloud.tables_text import agents_table  # noqa: PLC0415

    with _reader(file) as (store, _):
        data = figures(store)
    emit(data, as_json=as_json, text=agents_table(data))


@app.command(cls=Command)
def models(*, file: FileOption = Path("federation.toml"), as_json: JsonOption = False) -> None:
    """Show which model serves on each device, as the devices report it, and the generic model's versions.

    Example:
        fedloge cloud models --file federation.toml
    """
    from cloud.models import models as figures  # noqa: PLC0415
    from cloud.models_text import models_table  # noqa: PLC0415

    with _reader(file) as (store, _):
        data = figures(store)
    emit(data, as_json=as_json, text=models_table(data))


@contextmanager
def _reader(file: Path) -> "Iterator[tuple[RoundStore, bool]]":
    """Open a federation's database for reading only; tell also whether a coordinator holds it now."""
    from cloud.settings import paths_of, read_federation  # noqa: PLC0415
    from cloud.store.lock import coordinator_runs  # noqa: PLC0415
    from cloud.store.sql import open_reader  # noqa: PLC0415

    paths = paths_of(file, read_federation(file))
    store = open_reader(paths.database)
    try:
        yield store, coordinator_runs(paths.database, paths.folder)
    finally:
        store.close()
