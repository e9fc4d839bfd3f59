"""PyTorch and ONNX Runtime on the same images: how far apart the logits are, and whether that is allowed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import torch
from msgspec import Struct
from torch import Tensor

from export.accuracy import Accuracy, compare_accuracy
from export.bundle import Bundle
from export.options import TOLERANCES, GraphOptions
from export.running import logits_of
from export.views import in_order_of_views, views
from shared.data.pixels import fit_all
from shared.errors import ExportError
from shared.images import LabelledImages, normalise
from shared.metrics import Group

TOLERANCE: Final = 1e-5
"""Of fp32, per unit of the largest logit; its reason stands in ``export.options.TOLERANCES``."""

BATCH: Final = 64
"""Images at once: bounds memory."""

Origin: TypeAlias = Literal["held-out", "training", "seeded-random"]
"""Images kept from training; those trained on, where a device holds none out; noise, where there is no image at all."""


class ParityResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the exported file is from PyTorch in fp32.

    Attributes:
        num_images: Images compared.
        images: Where they came from.
        max_abs_error: Largest absolute difference of a logit; of a feature, where the file is a backbone alone.
        bound: ``TOLERANCE * max(1, largest absolute logit that no mask forbids)``. In fp32 it decides; fp16 and int8
            exceed it by far, and their accuracy decides.
        label_agreement: Share of equal labels, among images whose two largest PyTorch logits differ by more than the
            bound; 1 where there is no such image.
        num_decided: How many such images there are.
        provider: ONNX Runtime's execution provider.
        worst_image: Index of the image with the largest difference.
        worst_class: Index of its class.
        passed: All is finite, and in fp32 the error is within the bound and every decided label agrees.
    """

    num_images: int
    images: Origin
    max_abs_error: float
    bound: float
    label_agreement: float
    num_decided: int
    provider: str
    worst_image: int
    worst_class: int
    passed: bool

    def summary(self) -> str:
        """Return the result as one line."""
        return (
            f"{self.num_images} {self.images} images on {self.provider}: largest |dlogit| {self.max_abs_error:.2e} "
            f"(image {self.worst_image}, class {self.worst_class}), fp32's bound {self.bound:.2e}, "
            f"labels agree on {self.label_agreement:.2%} of {self.num_decided} decided images"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was seen of an exported model.

    Attributes:
        parity: Of the logits.
        accuracy: Of the labels; None where the images have none.
    """

    parity: ParityResult
    accuracy: Accuracy | None

    @property
    def passed(self) -> bool:
        """Whether the model may be called exported."""
        return self.parity.passed and (self.accuracy is None or self.accuracy.passed)

    def summary(self) -> str:
        """Return the result as one line."""
        said = self.parity.summary()
        return said if self.accuracy is None else f"{said}; {self.accuracy.summary()}"


def compare(
    bundle: Bundle,
    session: Any,
    images: LabelledImages,
    *,
    origin: Origin,
    options: GraphOptions = GraphOptions(),  # noqa: B008 - frozen
) -> ParityResult:
    """Return the parity of ``prove``."""
    return prove(bundle, session, images, origin=origin, options=options).parity


def prove(
    bundle: Bundle,
    session: Any,
    images: LabelledImages,
    *,
    origin: Origin,
    options: GraphOptions,
    groups: Sequence[Group] | None = None,
) -> Proof:
    """Run both models on the same images.

    The PyTorch side is what training and evaluation use (``fit_all``, ``normalise``, backbone, ``Head.logits``), not
    what was traced, so that a mistake in the graph shows.

    Args:
        bundle: The source.
        session: Of ``export.running.open_proving``, or two of them in an ``export.running.Chain``.
        images: (N, channels, height, width), uint8, N at least 1.
        origin: Where they came from, for the record.
        options: How the file was written.
        groups: Each class's group in label order, where the images' accuracy shall be told per group.

    Raises:
        ExportError: There is no image, or one of another size or other class names; the runtime refuses the input; or
            probabilities or top-k do not follow from the logits.
    """
    check_images(bundle, images)
    expected = torch_logits(bundle, images.images, options)
    found = logits_of(session, views(images.images, bundle.model, options), bundle.model, options)
    return judged(bundle, expected, found, images, origin=origin, options=options, groups=groups, session=session)


def judged(
    bundle: Bundle,
    expected: Tensor,
    found: Tensor,
    images: LabelledImages,
    *,
    origin: Origin,
    options: GraphOptions,
    groups: Sequence[Group] | None,
    session: Any,
) -> Proof:
    """Judge logits (N, num_classes) of both sides, in the order of the views."""
    parity = judge(
        expected,
        found,
        keep=bundle.head.keep,
        origin=origin,
        provider=session.get_providers()[0],
        bounded=options.precision == "fp32",
    )
    if origin == "seeded-random":
        return Proof(parity=parity, accuracy=None)
    labels = in_order_of_views(images.labels, options)
    tolerance = TOLERANCES[options.precision]
    return Proof(parity=parity, accuracy=compare_accuracy(expected, found, labels, tolerance=tolerance, groups=groups))


def judge(
    expected: Tensor,
    found: Tensor,
    *,
    keep: Tensor | None,
    origin: Origin,
    provider: str,
    bounded: bool = True,
    labels: bool = True,
) -> ParityResult:
    """Compare logits (N, num_classes), float32, of PyTorch and of the runtime.

    Args:
        expected: Of PyTorch.
        found: Of the runtime.
        keep: (num_classes,), bool, the mask, or None.
        origin: Where the images came from.
        provider: The runtime's.
        bounded: Whether the logits decide.
        labels: Whether the largest logit is a label, which must agree; features have none.

    Raises:
        ExportError: The shapes differ.
    """
    if expected.shape != found.shape:
        raise ExportError(f"logits have shape {tuple(found.shape)}, PyTorch's {tuple(expected.shape)}")
    allowed = expected if keep is None else expected[:, keep]  # a mask's -1e4 must not loosen the bound
    bound = TOLERANCE * max(1.0, float(allowed.abs().max()))
    error = (expected.double() - found.double()).abs()  # (N, num_classes)
    worst = int(error.nan_to_num(nan=torch.inf).argmax())
    top = expected.topk(min(2, expected.shape[1]), dim=1).values  # (N, 2)
    decided = (top[:, 0] - top[:, -1]) > (bound if labels else torch.inf)
    agree = (expected.argmax(1) == found.argmax(1))[decided]
    largest = float(error.flatten()[worst])
    return ParityResult(
        num_images=expected.shape[0],
        images=origin,
        max_abs_error=largest,
        bound=bound,
        label_agreement=float(agree.double().mean()) if len(agree) else 1.0,
        num_decided=int(decided.sum()),
        provider=provider,
        worst_image=worst // expected.shape[1],
        worst_class=worst % expected.shape[1],
        passed=(largest <= bound and bool(agree.all())) if bounded else bool(found.isfinite().all()),
    )


def torch_logits(bundle: Bundle, images: Tensor, options: GraphOptions = GraphOptions()) -> Tensor:  # noqa: B008
    """Return PyTorch's logits (N, num_classes), float32 on the CPU, of images (N, C, H, W), uint8."""
    return bundle.head.logits(torch_features(bundle, images, options))


def torch_features(bundle: Bundle, images: Tensor, options: GraphOptions) -> Tensor:
    """Return PyTorch's features (N, feature_dim), float32 on the CPU, in the order of the views."""
    backbone, model = bundle.features(), bundle.model
    with torch.no_grad():
        batches = [
            backbone(normalise(fit_all(part, model.image_size, model.channels), model.mean, model.std))
            for view in views(images, model, options)
            for part in torch.split(view, BATCH)
        ]
    return torch.cat(batches)


def check_images(bundle: Bundle, images: LabelledImages) -> None:
    """Refuse images that are not the model's.

    Raises:
        ExportError: There is none, or their size, type or classes are others.
    """
    shape = (bundle.model.channels, bundle.model.image_size, bundle.model.image_size)
    if len(images) == 0 or tuple(images.images.shape[1:]) != shape or images.images.dtype != torch.uint8:
        raise ExportError(
            f"parity needs images of shape {shape}, uint8; got {tuple(images.images.shape)} {images.images.dtype}"
        )
    if images.class_names != bundle.class_names:
        raise ExportError(f"images have classes {images.class_names}, the model has {bundle.class_names}")
