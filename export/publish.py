"""Export one bundle: build the graph, load it, compare it with PyTorch, and only then call it exported."""

from pathlib import Path
from typing import Final, get_args

import torch

from export.bundle import Bundle
from export.certify import certify
from export.graph import DEFAULT, to_onnx
from export.options import TOLERANCES, GraphOptions
from export.parity import Origin, prove
from export.record import (
    MAX_ACCURACY_IMAGES,
    MAX_PARITY_IMAGES,
    ExportRecord,
    Images,
)
from export.running import open_proving
from shared.errors import ExportError
from shared.images import LabelledImages
from shared.metrics import Group
from shared.seeds import generator
from shared.settings import ModelSettings

RANDOM_IMAGES: Final = 64
"""Images drawn where there are none: uniform noise excites every unit, and few images suffice."""


def export_model(
    bundle: Bundle,
    *,
    images: LabelledImages,
    images_source: str,
    path: Path,
    source: Path | None = None,
    options: GraphOptions = DEFAULT,
    calibration: LabelledImages | None = None,
    class_groups: tuple[Group, ...] | None = None,
) -> ExportRecord:
    """Write ``path`` and its record, after ONNX Runtime was seen to compute on the CPU what PyTorch computes.

    Args:
        bundle: What to export.
        images: What to compare on; of more than ``most_images(options)``, as many are taken in even steps.
        images_source: Where they come from, for the record: "held-out" or "training", each also with ":SPEC" behind it,
            or "seeded-random:SEED" for images made by ``random_images`` with that seed.
        path: The exported file; its folder is created.
        source: The bundle's own file, by whose name ``verify`` finds it when it stands in the folder of ``path``.
        options: How to write the graph.
        calibration: The device's own training images, for int8.
        class_groups: Each class's group in label order, to tell the accuracy per group.

    Returns:
        The record, as written.

    Raises:
        ExportError: The model or the options were refused; a file that stood at ``path`` still stands.
        ArtifactError: A file cannot be written; likewise.
    """
    used = at_most(images, most_images(options))
    described = describe_images(images_source, count=len(used))
    check_labelled(options, described)
    payload = to_onnx(bundle, options, calibration=calibration)
    proof = prove(bundle, open_proving(payload), used, origin=described.origin, options=options, groups=class_groups)
    return certify(
        path,
        bundle,
        payload,
        part="single",
        images=described,
        proof=proof,
        source=source,
        options=options,
        calibration=calibration,
        class_groups=class_groups,
    )


def check_labelled(options: GraphOptions, images: Images) -> None:
    """Refuse to judge by accuracy where images have no labels.

    Raises:
        ExportError: fp16 or int8 on random images.
    """
    if TOLERANCES[options.precision].accuracy_points is not None and images.origin == "seeded-random":
        raise ExportError(
            f"{options.precision} is judged by its accuracy, and random images have no labels",
            remedy="name labelled images, with --data on the command line",
        )


def random_images(
    model: ModelSettings, class_names: tuple[str, ...], *, count: int = RANDOM_IMAGES, seed: int = 0
) -> LabelledImages:
    """Draw uniform noise, for a coordinator without evaluation data; the same seed gives the same images anywhere."""
    shape = (count, model.channels, model.image_size, model.image_size)
    pixels = torch.randint(0, 256, shape, generator=generator(seed, "parity images"), dtype=torch.uint8)
    return LabelledImages(images=pixels, labels=torch.zeros(count, dtype=torch.int64), class_names=class_names)


def most_images(options: GraphOptions) -> int:
    """Return how many images are compared at most: more where their labels decide."""
    return MAX_PARITY_IMAGES if TOLERANCES[options.precision].accuracy_points is None else MAX_ACCURACY_IMAGES


def at_most(images: LabelledImages, count: int) -> LabelledImages:
    """Return ``count`` images in even steps, since a source may be sorted by class; all where there are fewer."""
    if len(images) <= count:
        return images
    return images.select(torch.arange(count) * len(images) // count)


def describe_images(text: str, *, count: int) -> Images:
    """Parse ``images_source`` of ``export_model``.

    Raises:
        ExportError: It is none of its forms, or there is no image.
    """
    origin, _, rest = text.partition(":")
    if origin not in get_args(Origin) or (origin == "seeded-random") != rest.isdecimal() or count < 1:
        raise ExportError(
            f"{count} images from {text!r}: expected at least one, "
            "from 'held-out', 'held-out:SPEC', 'training', 'training:SPEC' or 'seeded-random:SEED'"
        )
    if origin == "seeded-random":
        return Images(origin="seeded-random", count=count, seed=int(rest))
    return Images(origin="training" if origin == "training" else "held-out", count=count, spec=rest or None)
