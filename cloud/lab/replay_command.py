"""The ``fedloge lab replay`` command: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from cloud.lab import options as opt
from shared.output import emit, note


def replay(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="A demo's folder, or a federation file.")] = Path(
        "runs/demo"
    ),
    *,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="One folder of images per client, named as the client; a demo has its own."),
    ] = None,
    as_json: opt.AsJson = False,
) -> None:
    """Train a recorded federation again, and compare each round's model with the record.

    Reads the federation file, the SQL record and the images; writes nothing. A round that closed without some clients
    replays like any other: the record says who was accepted. Exits with 11 at the first round that differs.

    What cannot be replayed: rounds trained on CUDA or another processor type, bit for bit; and with FedRep, whose
    updates lean on each client's personal head, rounds after one that a client trained without being heard of.

    Example:
        fedloge lab replay runs/demo
        fedloge lab replay federation.toml --images clients
    """
    from cloud.lab.verdict import replay_shown  # noqa: PLC0415 - help must not wait for torch
    from shared.errors import ReplayError  # noqa: PLC0415

    verdict = replay_shown(source, images)
    if verdict.first_difference is None:
        emit(verdict.plain(), as_json=as_json, text=verdict.words())
        return
    note(f"error: {verdict.words()}")
    note(f"remedy: {verdict.remedy()}")
    emit(verdict.plain(), as_json=as_json, status="error")
    raise typer.Exit(ReplayError.exit_code)
