"""Options that several ``fedloge export`` commands share; nothing here loads torch or ONNX."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.options import GraphOptions, Input, Output, Precision
from shared.errors import UsageError

if TYPE_CHECKING:
    from shared.data.splits import Splits
    from shared.settings import ModelSettings

Data = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="Labelled images: digits, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR or folder:DIR. Compared on its "
        "test part where it has one; int8 is calibrated on its training part. Without it: seeded random images, and "
        "the certificate says so.",
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; default: beside the bundle.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")]
InPrecision = Annotated[
    Precision,
    typer.Option("--precision", help="Of the backbone: fp16 and int8 need --data, for their accuracy decides."),
]
InputAs = Annotated[
    Input,
    typer.Option(
        "--input",
        help="Pixels as float 0..1 or already normalised, or raw uint8 of any size, resized and normalised inside.",
    ),
]
OutputAs = Annotated[Output, typer.Option("--output", help="What the model answers.")]
TopK = Annotated[
    int | None, typer.Option("--top-k", min=1, metavar="K", help="Only the K largest, with their classes.")
]
Batch = Annotated[
    int | None, typer.Option("--batch", min=1, max=4096, metavar="N", help="Images per call; default: any.")
]


def graph_options(
    precision: Precision, image_input: Input, output: Output, top_k: int | None, batch: int | None
) -> GraphOptions:
    """Return the options of a graph from those of a command."""
    return GraphOptions(precision=precision, input=image_input, output=output, top_k=top_k, batch=batch)


def read_labelled(spec: str, model: "ModelSettings", class_names: tuple[str, ...]) -> "Splits":
    """Return the images of a SPEC as a model takes them.

    Raises:
        DataError: The SPEC, its images or its classes do not fit.
    """
    from shared.data import read  # noqa: PLC0415 - torch takes seconds to import; --help must not

    return read(spec, image_size=model.image_size, channels=model.channels, class_names=class_names)


def needs_data(options: GraphOptions, data: str | None) -> None:
    """Refuse fp16 and int8 without labelled images.

    Raises:
        UsageError: ``--data`` is missing.
    """
    if options.precision != "fp32" and data is None:
        raise UsageError(
            f"--precision {options.precision} needs --data: its accuracy decides whether it is exported",
            remedy="name labelled images, such as --data folder:images",
        )
