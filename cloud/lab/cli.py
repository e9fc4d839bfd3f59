"""The ``fedloge lab`` commands: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.lab import options as opt
from shared.command import Command, new_app
from shared.errors import UsageError
from shared.output import console, emit, note

app = new_app()


@app.callback()
def lab() -> None:
    """Run federations in one process: the same code without a network, for studies and comparisons.

    Example:
        fedloge lab run
        fedloge lab run --method fedrod --data folder:images --clients 40
        fedloge lab compare --methods fedloge,fedavg-heads --seeds 3 --workers 2
    """


@app.command(cls=Command, name="run")
def run_command(
    *,
    method: Annotated[str, typer.Option(metavar="NAME", help="fedloge, fedavg, fedrod, ditto, ...")] = "fedloge",
    data: opt.Data = "digits",
    imbalance: opt.Imbalance = 10.0,
    alpha: opt.Alpha = 0.5,
    clients: opt.Clients = 6,
    participation: opt.Participation = 1.0,
    rounds: opt.Rounds = 20,
    local_epochs: opt.LocalEpochs = 2,
    batch_size: opt.BatchSize = 16,
    learning_rate: opt.LearningRate = 0.03,
    momentum: opt.Momentum = 0.5,
    weight_decay: opt.WeightDecay = 0.0,
    backbone: opt.Backbone = "resnet8",
    knobs: opt.Knobs = None,
    measured_on: opt.MeasuredOn = "test",
    evaluate_every: opt.EvaluateEvery = 5,
    seed: Annotated[int, typer.Option(metavar="N", help="Root of every random draw.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.")] = Path("runs/lab"),
    as_json: opt.AsJson = False,
) -> None:
    """Train one federation in this process, and measure it in every way there is.

    Example:
        fedloge lab run
        fedloge lab run --method ditto --set proximal=0.5 --seed 1
    """
    from cloud.lab.one import run_one  # noqa: PLC0415 - help must not wait for torch
    from cloud.lab.tables import run_table  # noqa: PLC0415

    setting = _setting(
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
        knobs=_knobs(knobs),
        measured_on=measured_on,
        evaluate_every=evaluate_every,
        seed=seed,
    )
    result = run_one(setting, out)
    emit(_plain(result), as_json=as_json, text=run_table(result))
    if not as_json:
        console().print(f"\nreport: {out / 'report.html'}\nresult: {out / 'result.json'}, curve.csv, clients.csv")


@app.command(cls=Command)
def compare(
    *,
    methods: Annotated[
        str, typer.Option(metavar="A,B,...", help="Names separated by commas, or all; the first is compared with.")
    ] = "all",
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Seeds 0 to N - 1.")] = 3,
    data: opt.Data = "digits",
    imbalance: opt.Imbalance = 10.0,
    alpha: opt.Alpha = 0.5,
    clients: opt.Clients = 6,
    participation: opt.Participation = 1.0,
    rounds: opt.Rounds = 20,
    local_epochs: opt.LocalEpochs = 2,
    batch_size: opt.BatchSize = 16,
    learning_rate: opt.LearningRate = 0.03,
    momentum: opt.Momentum = 0.5,
    weight_decay: opt.WeightDecay = 0.0,
    backbone: opt.Backbone = "resnet8",
    measured_on: opt.MeasuredOn = "test",
    evaluate_every: opt.EvaluateEvery = 10,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Runs at a time, a process each.")] = 1,
    dask: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Scheduler of a Dask cluster whose workers make the runs instead.")
    ] = "",
    table: Annotated[
        bool, typer.Option("--table", metavar="", help="Only print what is there, and what is missing.")
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the results: one file a run, never run again.")
    ] = Path("runs/compare"),
    as_json: opt.AsJson = False,
) -> None:
    """Compare methods over seeds: the same images, partition, start, participants and optimiser for all.

    Example:
        fedloge lab compare --methods fedloge,fedavg-heads --seeds 2
        fedloge lab compare --methods all --seeds 3 --workers 2 --out runs/digits
        fedloge lab compare --methods all --seeds 3 --table --out runs/digits
    """
    from cloud.lab.compare import compare as compare_all  # noqa: PLC0415 - help must not wait for torch
    from cloud.lab.tables import compare_table  # noqa: PLC0415

    base = _setting(
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
        measured_on=measured_on,
        evaluate_every=evaluate_every,
    )
    found = compare_all(
        base, methods=methods, seeds=range(seeds), out=out, workers=workers, dask=dask, only_table=table
    )
    emit(found.plain(), as_json=as_json, text=compare_table(found.summaries))
    if not as_json and out.is_dir():
        console().print(f"\nreport: {out / 'report.html'}\ntables: {out / 'table.md'}, runs.csv")
    if found.missing:
        note(f"missing runs: {', '.join(found.missing)}")


@app.command(cls=Command)
def methods(*, as_json: opt.AsJson = False) -> None:
    """List the methods: what each shares, what stays on the device, and where it was published.

    Example:
        fedloge lab methods
    """
    from cloud.lab.catalogue import catalogue, catalogue_table  # noqa: PLC0415 - help must not wait for torch

    emit({"methods": catalogue()}, as_json=as_json, text=catalogue_table())


def _setting(**values: Any) -> Any:
    """Return the setting, or refuse the option that does not fit."""
    import msgspec  # noqa: PLC0415 - help must not wait

    from cloud.lab.setting import LabSetting  # noqa: PLC0415

    try:
        return msgspec.convert(values, LabSetting)
    except msgspec.ValidationError as cause:
        raise UsageError(f"options do not fit: {cause}", remedy="see: fedloge lab run --help") from cause


def _knobs(pairs: list[str] | None) -> dict[str, Any]:
    """Read KEY=VALUE pairs; a value is a TOML value, or a plain word."""
    import msgspec  # noqa: PLC0415 - help must not wait

    found: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--set takes KEY=VALUE, got {pair!r}", remedy="such as --set gamma=1.0")
        try:
            found |= msgspec.toml.decode(f"{key} = {text}")
        except msgspec.DecodeError:
            found[key] = text
    return found


def _plain(result: Any) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415 - help must not wait

    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain
