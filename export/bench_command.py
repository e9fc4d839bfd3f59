"""``fedloge export bench``: one model timed in every way this machine can run it."""

from pathlib import Path
from typing import Annotated

import typer

from export.flags import Json, read_labelled
from shared.output import emit, note


def bench_model(
    *,
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="The model, as an agent or the coordinator wrote it.")
    ],
    data: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Images to calibrate int8 on; noise without it, as fast.")
    ] = None,
    batches: Annotated[
        list[int] | None,
        typer.Option(
            "--batch", min=1, max=4096, metavar="N", help="Images per call; may be repeated; default: 1, 8 and 64."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="Time for each way to run it, per batch size.")] = 3.0,
    threads: Annotated[int, typer.Option(min=1, help="Of each way to run it.")] = 1,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Also torch.compile, a minute per batch size.")
    ] = True,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Also memory, in processes of their own.")
    ] = True,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the latencies as an SVG picture.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Time one model: eager PyTorch, torch.compile, and ONNX Runtime per provider and precision, in turns.

    Example:
        fedloge export bench agent/personal.bundle.safetensors --plot latency.svg
    """
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from export.bench import BATCHES, bench, table  # noqa: PLC0415 - torch and ONNX take seconds to import
    from export.bundle import read_bundle  # noqa: PLC0415

    model = read_bundle(bundle)
    training = None if data is None else read_labelled(data, model.model, model.class_names).train
    result = bench(
        model,
        batches=batches or BATCHES,
        seconds=seconds,
        threads=threads,
        compiled=compiled,
        memory=memory,
        calibration=training,
    )
    if plot is not None:
        from export.plot import plot as drawn  # noqa: PLC0415
        from shared.blobs import write_durably  # noqa: PLC0415

        write_durably(plot, drawn(result).encode())
    emit(msgspec.to_builtins(result), as_json=as_json, text=table(result))
    for what, why in result.not_run.items():
        note(f"{what}: {why}")
