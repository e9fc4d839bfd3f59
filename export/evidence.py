"""The images a model is exported with, from a data SPEC: to compare on, to calibrate with, to tell groups by."""

from dataclasses import dataclass

from export.bundle import Bundle
from export.flags import read_labelled
from export.publish import random_images
from shared.images import LabelledImages
from shared.metrics import Group, class_groups

SEED = 0
"""Of random images, where there are no others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Images and what is known of them.

    Attributes:
        images: To compare on.
        source: Where they come from, as ``export.publish.export_model`` takes it.
        training: To calibrate int8 with; None without a SPEC.
        groups: Each class's group by the training images, in label order; None without a SPEC.
    """

    images: LabelledImages
    source: str
    training: LabelledImages | None
    groups: tuple[Group, ...] | None


def gather(bundle: Bundle, data: str | None) -> Evidence:
    """Return the images of a SPEC as a bundle's model takes them, or random ones without it.

    Raises:
        DataError: The SPEC, its images or its classes do not fit.
    """
    if data is None:
        drawn = random_images(bundle.model, bundle.class_names, seed=SEED)
        return Evidence(images=drawn, source=f"seeded-random:{SEED}", training=None, groups=None)
    splits = read_labelled(data, bundle.model, bundle.class_names)
    return Evidence(
        images=splits.evaluation,
        source=f"held-out:{data}",
        training=splits.train,
        groups=tuple(class_groups(splits.train.class_counts())),
    )
