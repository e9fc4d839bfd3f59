"""The ``fedloge edge`` commands: parse, call, print."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from edge.cli_models import models, personalize, predict, rollback
from shared.command import Command, new_app
from shared.output import emit, log_to_stderr

app = new_app()


@app.callback()
def edge() -> None:
    """Run an agent on a device: it trains on local images, and its personal head never leaves."""


@app.command(cls=Command)
def run(
    *,
    join: Annotated[Path, typer.Option(metavar="FILE", help="join.json, as the coordinator wrote it.")],
    data: Annotated[
        str, typer.Option(metavar="SPEC", help="This device's images: folder:DIR with one sub-folder per class.")
    ],
    state: Annotated[
        Path, typer.Option(metavar="DIR", help="A folder of this agent's own; starting again resumes from it.")
    ],
    client: Annotated[
        str | None, typer.Option(metavar="ID", help="Id of this client; drawn once and kept by default.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")] = "auto",
    patience: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=1, help="Give up after this long without a word from the coordinator."),
    ] = 86400.0,
    exit_with_parent: Annotated[bool, typer.Option("--exit-with-parent", hidden=True)] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope at the end.")] = False,
) -> None:
    """Serve a federation until it is complete: train, answer, and export the personal model.

    Example:
        fedloge edge run --join join.json --data folder:images --state agent
    """
    from shared.lifeline import end_with_parent  # noqa: PLC0415
    from shared.signals import exit_on_sigterm  # noqa: PLC0415

    exit_on_sigterm()
    if exit_with_parent:
        end_with_parent()  # before torch is loaded: a parent that dies meanwhile is noticed in time
    from edge.start import AgentSettings, run_agent  # noqa: PLC0415

    log_to_stderr(logging.INFO)
    settings = AgentSettings(
        join_file=join, data_spec=data, state=state, client=client, device=device, patience_seconds=patience
    )
    name, words = run_agent(settings)
    model = state / "personal.onnx"
    emit(
        {"client": name, "reason": words, "model": str(model)},
        as_json=as_json,
        text=f"{name}: {words}; personal model: {model}",
    )


for command in (predict, personalize, models, rollback):
    app.command(cls=Command)(command)
