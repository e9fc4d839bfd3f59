"""The ``fedloge export`` commands: models out as ONNX files, each shown to compute what PyTorch computes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.bench_command import bench_model
from export.flags import (
    Batch,
    Data,
    InPrecision,
    InputAs,
    Json,
    Out,
    OutputAs,
    TopK,
    graph_options,
    needs_data,
    read_labelled,
)
from export.options import GraphOptions
from shared.command import Command, new_app
from shared.errors import DataError, RoundError, VerificationError
from shared.output import emit, note

if TYPE_CHECKING:
    from export.bundle import Bundle
    from export.record import Images
    from export.verify import ImageFinder
    from shared.images import LabelledImages

app = new_app()

GENERIC_BUNDLE = "generic.bundle.safetensors"
"""What the coordinator writes at every commit."""

PERSONAL_BUNDLE = "personal.bundle.safetensors"
"""What an agent writes when its personal head is realigned."""


@app.callback()
def export() -> None:
    """Write models as ONNX files, and check that they compute what PyTorch computes."""


@app.command(cls=Command)
def generic(
    *,
    artifacts: Annotated[Path, typer.Option(metavar="DIR", help="The coordinator's folder of models.")],
    data: Data = None,
    out: Out = None,
    precision: InPrecision = "fp32",
    image_input: InputAs = "unit-nchw",
    output: OutputAs = "logits",
    top_k: TopK = None,
    batch: Batch = None,
    as_json: Json = False,
) -> None:
    """Export the generic model of the last committed round.

    Example:
        fedloge export generic --artifacts coordinator --data digits
        fedloge export generic --artifacts coordinator --data digits --precision int8
    """
    bundle = artifacts / GENERIC_BUNDLE
    options = graph_options(precision, image_input, output, top_k, batch)
    if not bundle.is_file():
        raise RoundError(
            f"no round is committed yet: {bundle} is not there",
            remedy="start the coordinator and wait for its first round, or check --artifacts",
        )
    _export(bundle, out or artifacts / "generic.onnx", data, options, as_json=as_json)


@app.command(cls=Command)
def personal(
    *,
    state: Annotated[Path, typer.Option(metavar="DIR", help="The agent's state folder.")],
    data: Data = None,
    out: Out = None,
    precision: InPrecision = "fp32",
    image_input: InputAs = "unit-nchw",
    output: OutputAs = "logits",
    top_k: TopK = None,
    batch: Batch = None,
    as_json: Json = False,
) -> None:
    """Export this device's personal model.

    Example:
        fedloge export personal --state agent --data folder:images
        fedloge export personal --state agent --data folder:images --top-k 3
    """
    bundle = state / PERSONAL_BUNDLE
    options = graph_options(precision, image_input, output, top_k, batch)
    if not bundle.is_file():
        raise RoundError(
            f"there is no personal model yet: {bundle} is not there",
            remedy="let the agent finish a federation, or check --state",
        )
    serving = state / "personal.onnx"
    beside = state / "exported.onnx" if serving.is_symlink() else serving  # what serves changes by the gate alone
    _export(bundle, out or beside, data, options, as_json=as_json)


@app.command("verify", cls=Command)
def verify_files(
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Exported files, each with its record beside it.")
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Labelled images to recompute the parity on; without it those that the record names, where they are.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The source, where it does not stand beside the file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check files against their records: digest, loading, and parity where source and images are at hand.

    Exits with 8 if any file is not what its record says, after all of them were checked.

    Example:
        fedloge export verify runs/demo/agents/*/personal.onnx
        fedloge export verify generic.onnx --data folder:images
    """
    from export.verify import verify  # noqa: PLC0415 - torch and ONNX take seconds to import; --help must not

    done: list[dict[str, Any]] = []
    lines: list[str] = []
    failed = 0
    for path in files:
        try:
            outcome = verify(path, images=_finder(data), bundle=bundle)
        except VerificationError as error:
            failed += 1
            note(f"error: {error.message}")
            note(f"remedy: {error.remedy}")
            done.append({"file": str(path), "verified": False, "error": error.message, "remedy": error.remedy})
            continue
        done.append({"verified": True, **_plain(outcome)})
        lines.append(outcome.summary())
    emit({"files": done}, as_json=as_json, text="\n".join(lines), status="error" if failed else "ok")
    if failed:
        raise typer.Exit(VerificationError.exit_code)


@app.command(cls=Command)
def split(
    *,
    bundles: Annotated[list[Path], typer.Argument(metavar="BUNDLE", help="Bundles that share one backbone.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="One backbone, and heads/CLIENT.onnx for each bundle.")],
    data: Data = None,
    complete: Annotated[
        bool, typer.Option("--complete", metavar="", help="Also a whole graph per client, on the same weights.")
    ] = False,
    precision: InPrecision = "fp32",
    image_input: InputAs = "unit-nchw",
    output: OutputAs = "logits",
    top_k: TopK = None,
    batch: Batch = None,
    as_json: Json = False,
) -> None:
    """Write one backbone for many clients, and a head of a few KiB for each.

    Where DIR holds the backbone already, only the heads are written, with the options it was written with.

    Example:
        fedloge export split agents/*/personal.bundle.safetensors --out models
    """
    from export.fleet import export_split  # noqa: PLC0415 - torch and ONNX take seconds to import; --help must not

    options = graph_options(precision, image_input, output, top_k, batch)
    needs_data(options, data)
    written = export_split(bundles, out, options, data=data, complete=complete)
    lines = [f"{path}: {record.size_bytes} bytes\n  {record.parity.summary()}" for path, record in written]
    files = [{"file": str(path), "record": _plain(record)} for path, record in written]
    emit({"files": files}, as_json=as_json, text="\n".join(lines))


app.command("bench", cls=Command)(bench_model)


@app.command(cls=Command)
def triton(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The model repository to write.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Exported files, or heads of a split export.")],
    as_json: Json = False,
) -> None:
    """Write exported files as a model repository for NVIDIA Triton.

    Example:
        fedloge export triton repository agent/personal.onnx
        fedloge export triton repository models/heads/*.onnx
    """
    from export.triton import write_repository  # noqa: PLC0415 - as above

    names = write_repository(folder, files)
    lines = [f"{folder / name}: serves {name}" for name in names]
    emit({"folder": str(folder), "models": names}, as_json=as_json, text="\n".join(lines))


def _export(source: Path, path: Path, data: str | None, options: GraphOptions, *, as_json: bool) -> None:
    needs_data(options, data)
    from export.bundle import read_bundle  # noqa: PLC0415
    from export.evidence import gather  # noqa: PLC0415
    from export.publish import export_model  # noqa: PLC0415

    bundle = read_bundle(source)
    seen = gather(bundle, data)
    record = export_model(
        bundle,
        images=seen.images,
        images_source=seen.source,
        path=path,
        source=source,
        options=options,
        calibration=seen.training,
        class_groups=seen.groups,
    )
    text = (
        f"{path}: {record.size_bytes} bytes, {record.kind} model of round {record.round}\n  {record.parity.summary()}"
    )
    if record.accuracy is not None:
        text += f"\n  {record.accuracy.summary()}"
    emit({"file": str(path), "record": _plain(record)}, as_json=as_json, text=text)


def _finder(data: str | None) -> "ImageFinder":
    """Return what finds held-out images: by ``--data``, else by the spec in the record where they are still there."""

    def find(bundle: "Bundle", described: "Images") -> "LabelledImages | None":
        spec = data or described.spec
        if spec is None:
            return None
        try:
            return read_labelled(spec, bundle.model, bundle.class_names).evaluation
        except DataError:
            if data is None:
                return None  # the record's spec is a hint: the images may be on another machine
            raise

    return find


def _plain(value: object) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
