"""What the lab knows beyond a deployment's result: every rule, both protocols, calibration and the heads' geometry.

Accuracies and errors are fractions in 0..1. Nothing is chosen by these figures where they were measured on test images.
"""

from collections.abc import Mapping

from msgspec import Struct

from cloud.lab.setting import LabSetting
from shared.settings import MaskRule


class GroupFigures(Struct, frozen=True, kw_only=True):
    """Accuracy overall and per class group; None where no image is of the group.

    Attributes:
        accuracy: Over all images.
        head: Classes with most training images, by the paper's rule.
        medium: The ones between.
        tail: The ones with fewest.
    """

    accuracy: float
    head: float | None = None
    medium: float | None = None
    tail: float | None = None


class PersonalRuleFigures(Struct, frozen=True, kw_only=True):
    """One rule for personal models, mean over clients.

    Attributes:
        rule: By name.
        mask: By name.
        paper: On local tests that follow the training images.
        new_classes: On local tests a part of which is of classes the client never trained on.
    """

    rule: str
    mask: MaskRule
    paper: float
    new_classes: float


class HurtClient(Struct, frozen=True, kw_only=True):
    """A client whose personal model is worse than the generic one, and by how much."""

    client: str
    loss: float


class Geometry(Struct, frozen=True, kw_only=True):
    """Heads and features, class by class in label order: neural collapse as numbers.

    Attributes:
        norms: Row norms of "etf", "psi" and "phi" (mean over clients), those the method has.
        alignment: Cosine between each class's mean feature, less the mean over all classes, and its row of the
            generic head, less the mean row.
        angle_mean: Mean angle between the centred class means of two classes, in degrees; a simplex has
            arccos(-1/(C-1)).
        angle_std: Its standard deviation over pairs, in degrees.
        within_between: Trace of the covariance within classes over that between them (NC1's ratio).
    """

    norms: Mapping[str, tuple[float, ...]]
    alignment: tuple[float, ...]
    angle_mean: float
    angle_std: float
    within_between: float


class LabFigures(Struct, frozen=True, kw_only=True):
    """The lab's part of a result.

    Attributes:
        setting: What was run.
        title: The method in words.
        generic_note: "" where the generic model has a shared head; else what stands in for it.
        personal_note: "" where clients have a personal part; else what stands in for it.
        generic_rules: Every generic rule on the balanced images.
        generic_by_counts: The generic model in the groups of the usual rule, more than 100 and fewer than 20 images.
        macro_f1: Of the generic model on the balanced images.
        calibration_error: Expected calibration error of the generic model on the balanced images.
        personal_calibration_error: Mean over clients, of the personal model on the local tests.
        personal_groups: Mean over clients that have images of the group, each client's own groups.
        personal_rules: Every personal rule and mask, in both protocols.
        generic_new_classes: Mean over clients of the generic model's accuracy in the new-class protocol.
        without_new_classes: Clients that have every class, so that the new-class protocol asks them nothing new.
        hurt: Clients whose personal model is worse than the generic one, worst first.
        geometry: Of the final model, on the balanced images.
    """

    setting: LabSetting
    title: str
    generic_note: str = ""
    personal_note: str = ""
    generic_rules: Mapping[str, GroupFigures] = {}
    generic_by_counts: GroupFigures | None = None
    macro_f1: float | None = None
    calibration_error: float | None = None
    personal_calibration_error: float | None = None
    personal_groups: GroupFigures | None = None
    personal_rules: tuple[PersonalRuleFigures, ...] = ()
    generic_new_classes: float | None = None
    without_new_classes: tuple[str, ...] = ()
    hurt: tuple[HurtClient, ...] = ()
    geometry: Geometry | None = None
