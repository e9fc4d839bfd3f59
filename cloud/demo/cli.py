"""The ``fedloge demo`` command: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from shared.command import Command, new_app
from shared.errors import UsageError
from shared.output import console, emit

app = new_app(no_args_is_help=False)


@app.command(cls=Command)
def demo(
    *,
    agents: Annotated[int, typer.Option(metavar="N", min=1, help="Clients, each a process of its own.")] = 6,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Communication rounds.")] = 20,
    data: Annotated[
        str,
        typer.Option(
            metavar="SPEC", help="digits, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR or folder:DIR; never downloaded."
        ),
    ] = "digits",
    imbalance: Annotated[
        float, typer.Option(metavar="X", min=1, help="Images of the largest class over those of the smallest.")
    ] = 10.0,
    alpha: Annotated[
        float, typer.Option(metavar="X", min=0.001, help="Dirichlet alpha; smaller: clients less alike.")
    ] = 0.5,
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="resnet8, resnet20, or a torchvision model's name.")
    ] = "resnet8",
    method: Annotated[
        str, typer.Option(metavar="NAME", help="Method to train by; `fedloge lab methods` lists them.")
    ] = "fedloge",
    local_epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Passes over a client's images per round.")] = 2,
    batch_size: Annotated[int, typer.Option(metavar="N", min=2, help="Images per training step.")] = 16,
    learning_rate: Annotated[float, typer.Option(metavar="X", min=1e-6, help="SGD's step size.")] = 0.03,
    participation: Annotated[
        float, typer.Option(metavar="X", min=0.001, max=1, help="Share of the clients in each round.")
    ] = 1.0,
    broker: Annotated[
        str, typer.Option(metavar="URL", help="embedded, or mqtt://host:port of a running broker.")
    ] = "embedded",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the results; those of a former demo are replaced.")
    ] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(metavar="N", help="Root of every random draw.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")] = False,
) -> None:
    """Run broker, coordinator and agents on this machine, and export one ONNX model per client.

    Example:
        fedloge demo
        fedloge demo --agents 8 --data folder:images --imbalance 100 --alpha 0.5
    """
    if str(out).startswith("-"):
        raise UsageError(f"--out takes a folder, got {out}", remedy="see: fedloge demo --help")
    import msgspec  # noqa: PLC0415 - help must not wait for torch

    from cloud.demo.closing import closing_table  # noqa: PLC0415
    from cloud.demo.options import DemoOptions  # noqa: PLC0415
    from cloud.demo.run import run_demo  # noqa: PLC0415
    from shared.signals import exit_on_sigterm  # noqa: PLC0415

    exit_on_sigterm()
    result = run_demo(
        DemoOptions(
            agents=agents,
            rounds=rounds,
            data=data,
            imbalance=imbalance,
            alpha=alpha,
            backbone=backbone,
            method=method,
            local_epochs=local_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            participation=participation,
            broker=broker,
            out=out,
            seed=seed,
        )
    )
    emit(msgspec.to_builtins(result), as_json=as_json, text=closing_table(result))
    if not as_json:
        console().print(f"\nreport:  {out / 'report.html'}\nmodels:  {out / 'agents' / '*' / 'personal.onnx'}")
