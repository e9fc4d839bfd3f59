"""The ``fedloge lab newcomers`` command: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from cloud.lab import options as opt
from cloud.lab.asked import knobs_of, plain, setting_of
from shared.output import console, emit


def newcomers(
    *,
    method: Annotated[str, typer.Option(metavar="NAME", help="fedloge, fedavg, fedrod, ditto, ...")] = "fedloge",
    share: Annotated[
        float, typer.Option(metavar="X", min=0.001, max=0.999, help="Share of the clients that never train.")
    ] = 0.25,
    data: opt.Data = "digits",
    imbalance: opt.Imbalance = 10.0,
    alpha: opt.Alpha = 0.5,
    clients: opt.Clients = 12,
    participation: opt.Participation = 1.0,
    rounds: opt.Rounds = 20,
    local_epochs: opt.LocalEpochs = 2,
    batch_size: opt.BatchSize = 16,
    learning_rate: opt.LearningRate = 0.03,
    momentum: opt.Momentum = 0.9,
    weight_decay: opt.WeightDecay = 0.0,
    backbone: opt.Backbone = "resnet8",
    knobs: opt.Knobs = None,
    measured_on: opt.MeasuredOn = "test",
    seed: Annotated[int, typer.Option(metavar="N", help="Root of every random draw.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of newcomers.json.")] = Path("runs/lab"),
    as_json: opt.AsJson = False,
) -> None:
    """Train without some of the clients, then start those, too: at once, or with a head adapted to their images.

    A client that never trained gets the generic model, the same with the frequencies of its own classes, and a head
    adapted in 1, 5 and 20 local epochs on the frozen final backbone; the clients that trained stand beside it.

    Example:
        fedloge lab newcomers
        fedloge lab newcomers --data folder:images --imbalance 100 --clients 40
    """
    from cloud.lab.newcomers_table import newcomers_table  # noqa: PLC0415 - help must not wait for torch
    from cloud.lab.one import run_one_with_newcomers  # noqa: PLC0415

    setting = setting_of(
        method=method,
        data=data,
        imbalance=imbalance,
        alpha=alpha,
        clients=clients,
        participation=participation,
        rounds=rounds,
        local_epochs=local_epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        backbone=backbone,
        knobs=knobs_of(knobs),
        measured_on=measured_on,
        seed=seed,
    )
    result = run_one_with_newcomers(setting, share, out)
    emit(plain(result), as_json=as_json, text=newcomers_table(result))
    if not as_json:
        console().print(f"\nresult: {out / 'newcomers.json'}")
