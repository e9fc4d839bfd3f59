"""The ``fedloge lab`` commands: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.lab import options as opt
from cloud.lab.asked import plain
from cloud.lab.newcomers_command import newcomers
from cloud.lab.replay_command import replay
from shared.command import Command, new_app
from shared.errors import FedlogeError, UsageError
from shared.output import console, emit, note

app = new_app()


@app.callback()
def lab() -> None:
    """Run federations in one process: the same code without a network, for studies and comparisons.

    Example:
        fedloge lab run
        fedloge lab run --method fedrod --data folder:images --clients 40
        fedloge lab compare --methods fedloge,fedavg-heads --seeds 3 --workers 2
        fedloge lab newcomers --clients 40
        fedloge lab replay runs/demo
    """


@app.command(cls=Command, name="run")
@opt.asks_for_setting(one_run=True, evaluate_every=5)
def run_command(
    *,
    setting: Any,
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

    result = run_one(setting, out)
    emit(plain(result), as_json=as_json, text=run_table(result))
    if not as_json:
        console().print(f"\nreport: {out / 'report.html'}\nresult: {out / 'result.json'}, curve.csv, clients.csv")


@app.command(cls=Command)
@opt.asks_for_setting(one_run=False, evaluate_every=10)
def compare(
    *,
    methods: Annotated[
        str, typer.Option(metavar="A,B,...", help="Names separated by commas, or all; the first is compared with.")
    ] = "all",
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Seeds 0 to N - 1.")] = 3,
    setting: Any,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Runs at a time, a process each.")] = 1,
    dask: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Scheduler of a Dask cluster whose workers make the runs instead.")
    ] = "",
    search: Annotated[
        str,
        typer.Option(
            metavar="RATE:MOMENTUM,...", help="Choose SGD's step for each method among these first, on validation."
        ),
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

    With --search, each method gets the step it does best with on training images that nobody gets.

    Example:
        fedloge lab compare --methods fedloge,fedavg-heads --seeds 2
        fedloge lab compare --methods all --seeds 3 --workers 2 --out runs/digits
        fedloge lab compare --methods all --seeds 3 --table --out runs/digits
        fedloge lab compare --search 0.03:0.5,0.03:0.9 --out runs/fair
    """
    from cloud.lab.compare import compare as compare_all  # noqa: PLC0415 - help must not wait for torch
    from cloud.lab.compare import method_names  # noqa: PLC0415
    from cloud.lab.search import search as search_steps  # noqa: PLC0415
    from cloud.lab.search import steps_of  # noqa: PLC0415
    from cloud.lab.tables import compare_table  # noqa: PLC0415

    searched = None
    if steps := steps_of(search):
        names = method_names(methods)
        searched = search_steps(setting, names, steps, out, workers=workers, dask=dask, only_table=table)
    found = compare_all(
        setting,
        methods=methods,
        seeds=range(seeds),
        out=out,
        workers=workers,
        dask=dask,
        only_table=table,
        searched=searched,
    )
    emit(found.plain(), as_json=as_json, text=compare_table(found.summaries))
    if not as_json and out.is_dir():
        console().print(
            f"\nreport: {out / 'report.html'}\ntables: {out / 'table.md'}, runs.csv{', search.md' if searched else ''}"
        )
    if found.missing:
        note(f"missing runs: {', '.join(found.missing)}")


app.command(cls=Command)(newcomers)
app.command(cls=Command)(replay)


@app.command(cls=Command)
def methods(*, as_json: opt.AsJson = False) -> None:
    """List the methods: what each shares, what stays on the device, and where it was published.

    Example:
        fedloge lab methods
    """
    from cloud.lab.catalogue import catalogue, catalogue_table  # noqa: PLC0415 - help must not wait for torch

    emit({"methods": catalogue()}, as_json=as_json, text=catalogue_table())


@app.command(cls=Command)
def chaos(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Your federation file; none: a small one on digits.")
    ] = None,
    *,
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="latency, bandwidth, cut, flap, offline, satellite or 3g.")
    ],
    data: Annotated[str, typer.Option(metavar="SPEC", help="Images to deal to the clients.")] = "",
    agents: Annotated[int, typer.Option(metavar="N", min=1, help="Clients, each a process.")] = 3,
    limit_seconds: Annotated[float, typer.Option(metavar="S", min=1, help="A run that takes longer hangs.")] = 1800.0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.")] = Path("runs/chaos"),
    as_json: opt.AsJson = False,
) -> None:
    """Run a federation over a bad network on this machine, and say which invariants held.

    Example:
        fedloge lab chaos --profile cut
        fedloge lab chaos --profile satellite federation.toml --data folder:images
    """
    from cloud.chaos.options import ChaosOptions  # noqa: PLC0415 - loads torch
    from cloud.chaos.profiles import PROFILES  # noqa: PLC0415
    from cloud.chaos.run import run_chaos  # noqa: PLC0415
    from cloud.chaos.tables import verdict_table  # noqa: PLC0415

    if profile not in PROFILES:
        raise UsageError(f"there is no profile {profile!r}", remedy=f"choose one of {', '.join(PROFILES)}")
    report = run_chaos(
        ChaosOptions(
            profile=PROFILES[profile], file=file, data=data, agents=agents, out=out, limit_seconds=limit_seconds
        )
    )
    emit(report.as_data(), as_json=as_json, text=verdict_table(report))
    if not report.held:
        raise FedlogeError(
            f"{profile} broke {', '.join(one.id for one in report.invariants if not one.held)}",
            remedy=f"see the logs in {report.folder}",
        )
