"""Bundles that share a backbone into one split export, as the command line asks for it."""

from collections.abc import Sequence
from pathlib import Path

from export.bundle import read_bundle
from export.evidence import gather
from export.layout import BACKBONE, GENERIC, complete_path, head_path, owner_of
from export.loading import load
from export.options import GraphOptions
from export.record import ExportRecord
from export.split import write_backbone, write_complete, write_heads
from shared.errors import ExportError


def export_split(
    sources: Sequence[Path], folder: Path, options: GraphOptions, *, data: str | None, complete: bool
) -> list[tuple[Path, ExportRecord]]:
    """Write what is missing of a split export, and the heads of all bundles.

    Args:
        sources: Bundles' files, at least one.
        folder: Of the split export.
        options: For a backbone that is still to be written; a folder that has one keeps its own.
        data: SPEC of the images to compare on, or None for random ones.
        complete: Also write each client's complete graph.

    Returns:
        What was written, in order, with its certificate.

    Raises:
        ExportError: A model was refused, the bundles do not share one backbone, or the folder's options are others.
        DataError: The SPEC does not fit.
    """
    first = read_bundle(sources[0])
    seen = gather(first, data)
    written: list[tuple[Path, ExportRecord]] = []
    if (folder / BACKBONE).exists():
        _keep_options(folder, options)
    else:
        record = write_backbone(
            folder, first, images=seen.images, images_source=seen.source, options=options, calibration=seen.training
        )
        written.append((folder / BACKBONE, record))
    bundles = (read_bundle(source) for source in sources)  # one at a time: each holds a whole backbone
    heads = write_heads(
        folder, bundles, images=seen.images, images_source=seen.source, class_groups=lambda _bundle: seen.groups
    )
    written += [(head_path(folder, record.client or GENERIC), record) for record in heads]
    for bundle in (read_bundle(source) for source in sources if complete):
        record = write_complete(folder, bundle, images=seen.images, images_source=seen.source, class_groups=seen.groups)
        written.append((complete_path(folder, owner_of(bundle)), record))
    return written


def _keep_options(folder: Path, options: GraphOptions) -> None:
    own = load(folder / BACKBONE).record.options
    if options not in (own, GraphOptions()):
        raise ExportError(
            f"{folder} was written with {own}, asked for is {options}",
            remedy="leave the options out to follow the folder's, or choose another folder",
        )
