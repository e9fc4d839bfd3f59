"""The ``fedloge lab newcomers`` command: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.lab import options as opt
from cloud.lab.asked import plain
from shared.output import console, emit


@opt.asks_for_setting(one_run=True, clients=12)
def newcomers(
    *,
    share: Annotated[
        float, typer.Option(metavar="X", min=0.001, max=0.999, help="Share of the clients that never train.")
    ] = 0.25,
    setting: Any,
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

    result = run_one_with_newcomers(setting, share, out)
    emit(plain(result), as_json=as_json, text=newcomers_table(result))
    if not as_json:
        console().print(f"\nresult: {out / 'newcomers.json'}")
