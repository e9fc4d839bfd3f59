"""The ``fedloge edge`` commands about this device's model: predict, personalize, models, rollback."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.errors import StoreError, UsageError
from shared.output import emit, log_to_stderr

if TYPE_CHECKING:
    from edge.candidate import Candidates
    from edge.model_history import ModelVersion
    from edge.serving import Answers

State = Annotated[Path, typer.Option(metavar="DIR", help="The agent's state folder.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")]

SHOWN = 12
"""Characters of a digest: enough to tell versions apart."""


def predict(
    *,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="PNG, JPEG, BMP or WebP files of any size.")],
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The agent's state folder; its current model answers.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="An exported file, or a split export, instead of --state.")
    ] = None,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Whose head answers, in a split export.")] = None,
    topk: Annotated[int, typer.Option(metavar="K", min=1, help="Classes to name per image.")] = 1,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto (measured), cpu, cuda or tensorrt.")] = "auto",
    as_json: Json = False,
) -> None:
    """Say what images show, by the model that serves on this device.

    Example:
        fedloge edge predict photo.jpg --state agent --topk 3
    """
    if (state is None) == (model is None):
        raise UsageError("name one of --state and --model", remedy="see: fedloge edge predict --help")
    import numpy as np  # noqa: PLC0415

    from edge.serving import Predictor  # noqa: PLC0415
    from shared.data.pixels import read_image  # noqa: PLC0415

    log_to_stderr(logging.WARNING)
    predictor = Predictor(state or model or Path(), device=device)
    wanted = predictor.model(client).image_input
    size = None if wanted.size == "any" else wanted.size
    pixels = [read_image(path, image_size=size, channels=wanted.channels).numpy() for path in images]
    together = [np.stack(pixels)] if size else [image[None] for image in pixels]  # of different sizes: one by one
    said = [predictor.predict(part, client=client, top_k=topk) for part in together]
    rows = [(answers, index) for answers in said for index in range(len(answers))]
    emit(
        {
            "digest": said[-1].digest,
            "device": predictor.device,
            "unit": said[-1].unit,
            "predictions": [
                {"image": str(path), "classes": _classes(*row)} for path, row in zip(images, rows, strict=True)
            ],
        },
        as_json=as_json,
        text="\n".join(_line(path, *row) for path, row in zip(images, rows, strict=True)),
    )


def personalize(
    *,
    state: State,
    data: Annotated[
        str, typer.Option(metavar="SPEC", help="This device's images: folder:DIR with one sub-folder per class.")
    ],
    generic: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The generic model's bundle to start from; default: the model that serves."),
    ] = None,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Id of this device; drawn once and kept.")] = None,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Passes over the training images.")] = 100,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Json = False,
) -> None:
    """Train a head on this device's images, without a round; it serves if it is not worse than what serves.

    The backbone stays as it is. A device without a history gets the generic model first.

    Example:
        fedloge edge personalize --state agent --data folder:images
    """
    from edge.personalize import PersonalizeSettings  # noqa: PLC0415
    from edge.personalize import personalize as run  # noqa: PLC0415

    log_to_stderr(logging.WARNING)
    done = run(
        PersonalizeSettings(state=state, data_spec=data, generic=generic, client=client, epochs=epochs, device=device)
    )
    emit(
        {"client": done.client, "before": _version(done.before), "current": _version(done.after)},
        as_json=as_json,
        text=f"{done.client}: {_words(done.after)} serves; before: {_words(done.before)}",
    )


def models(*, state: State, as_json: Json = False) -> None:
    """Show the versions of this device's model, which one serves, and how each decision came about.

    Example:
        fedloge edge models --state agent
    """
    import msgspec  # noqa: PLC0415

    with _candidates(state) as candidates:
        serving, kept = candidates.serving(), candidates.versions.kept()
        versions, decisions = candidates.history.versions(), candidates.history.decisions()
    lines = [
        f"{'*' if serving == version else ' '} {_words(version)}" + ("" if version.version in kept else "; not kept")
        for version in versions
    ]
    lines += [f"{row.at}  {row.event} {row.version}: {row.state}, {row.reason}" for row in decisions]
    emit(
        {
            "current": None if serving is None else serving.version,
            "kept": kept,
            "versions": [_version(version) for version in versions],
            "decisions": [msgspec.to_builtins(row) for row in decisions],
        },
        as_json=as_json,
        text="\n".join(lines) or "no model yet",
    )


def rollback(
    *,
    state: State,
    to: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Which version; default: the one that served before.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let the model that served before serve again, at once; a running agent need not stop.

    Example:
        fedloge edge rollback --state agent
    """
    with _candidates(state) as candidates:
        version = candidates.rollback(to)
    emit({"current": _version(version)}, as_json=as_json, text=f"{_words(version)} serves")


@contextmanager
def _candidates(state: Path) -> "Iterator[Candidates]":
    from edge.candidate import open_candidates  # noqa: PLC0415
    from edge.journal import Journal  # noqa: PLC0415

    path = state / "agent.sqlite"
    if not path.is_file():
        raise StoreError(f"{state} is no agent's folder: it has no journal", remedy="check --state")
    journal = Journal(path)
    try:
        with open_candidates(state, journal) as candidates:
            yield candidates
    finally:
        journal.close()


def _version(version: "ModelVersion") -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    plain: dict[str, Any] = msgspec.to_builtins(version)
    return plain


def _words(version: "ModelVersion") -> str:
    accuracy = "" if version.accuracy is None else f", {100 * version.accuracy:.1f} % right here"
    return f"version {version.version} ({version.kind}, round {version.round}, {version.digest[:SHOWN]}{accuracy})"


def _classes(answers: "Answers", index: int) -> list[dict[str, Any]]:
    return [{"name": name, "score": score} for name, score in answers.named(index)]


def _line(path: Path, answers: "Answers", index: int) -> str:
    """Return one image's answer; a logit is no share."""
    shown = [
        f"{name} {100 * score:.1f} %" if answers.unit == "probability" else f"{name} {score:.2f}"
        for name, score in answers.named(index)
    ]
    return f"{path}: {', '.join(shown)}"
