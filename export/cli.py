"""The ``fedloge export`` commands: models out as ONNX files, each shown to compute what PyTorch computes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.command import Command, new_app
from shared.errors import DataError, RoundError, VerificationError
from shared.output import emit, note

if TYPE_CHECKING:
    from export.bundle import Bundle
    from export.record import Images
    from export.verify import ImageFinder
    from shared.images import LabelledImages
    from shared.settings import ModelSettings

app = new_app()

GENERIC_BUNDLE = "generic.bundle.safetensors"
"""What the coordinator writes at every commit."""

PERSONAL_BUNDLE = "personal.bundle.safetensors"
"""What an agent writes when its personal head is realigned."""

Data = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="Labelled images to compare on: digits, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR or folder:DIR; its "
        "test part where it has one. Without it: seeded random images, and the record says so.",
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; default: beside the bundle.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")]


@app.callback()
def export() -> None:
    """Write models as ONNX files, and check that they compute what PyTorch computes."""


@app.command(cls=Command)
def generic(
    *,
    artifacts: Annotated[Path, typer.Option(metavar="DIR", help="The coordinator's folder of models.")],
    data: Data = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Export the generic model of the last committed round.

    Example:
        fedloge export generic --artifacts coordinator --data digits
    """
    bundle = artifacts / GENERIC_BUNDLE
    if not bundle.is_file():
        raise RoundError(
            f"no round is committed yet: {bundle} is not there",
            remedy="start the coordinator and wait for its first round, or check --artifacts",
        )
    _export(bundle, out or artifacts / "generic.onnx", data, as_json=as_json)


@app.command(cls=Command)
def personal(
    *,
    state: Annotated[Path, typer.Option(metavar="DIR", help="The agent's state folder.")],
    data: Data = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Export this device's personal model.

    Example:
        fedloge export personal --state agent --data folder:images
    """
    bundle = state / PERSONAL_BUNDLE
    if not bundle.is_file():
        raise RoundError(
            f"there is no personal model yet: {bundle} is not there",
            remedy="let the agent finish a federation, or check --state",
        )
    _export(bundle, out or state / "personal.onnx", data, as_json=as_json)


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


def _export(source: Path, path: Path, data: str | None, *, as_json: bool) -> None:
    from export.bundle import read_bundle  # noqa: PLC0415
    from export.publish import export_model, random_images  # noqa: PLC0415

    bundle = read_bundle(source)
    if data is None:
        images, origin = random_images(bundle.model, bundle.class_names, seed=0), "seeded-random:0"
    else:
        images, origin = _read(data, bundle.model, bundle.class_names), f"held-out:{data}"
    record = export_model(bundle, images=images, images_source=origin, path=path, source=source)
    text = (
        f"{path}: {record.size_bytes} bytes, {record.kind} model of round {record.round}\n  {record.parity.summary()}"
    )
    emit({"file": str(path), "record": _plain(record)}, as_json=as_json, text=text)


def _finder(data: str | None) -> "ImageFinder":
    """Return what finds held-out images: by ``--data``, else by the spec in the record where they are still there."""

    def find(bundle: "Bundle", described: "Images") -> "LabelledImages | None":
        spec = data or described.spec
        if spec is None:
            return None
        try:
            return _read(spec, bundle.model, bundle.class_names)
        except DataError:
            if data is None:
                return None  # the record's spec is a hint: the images may be on another machine
            raise

    return find


def _read(spec: str, model: "ModelSettings", class_names: tuple[str, ...]) -> "LabelledImages":
    from shared.data import read  # noqa: PLC0415

    return read(spec, image_size=model.image_size, channels=model.channels, class_names=class_names).evaluation


def _plain(value: object) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
