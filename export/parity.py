"""PyTorch and ONNX Runtime on the same images: how far apart the logits are, and whether that is allowed."""

from typing import Any, Final, Literal, TypeAlias

import torch
from msgspec import Struct
from torch import Tensor

from export.bundle import Bundle
from export.graph import INPUT, OUTPUT
from export.runtime import refusals
from shared.errors import ExportError
from shared.images import LabelledImages, normalise

TOLERANCE: Final = 1e-5
"""Per unit of the largest logit: about 84 units in the last place of fp32, what two orders of summation through a deep
network may differ by; a wrong weight, a missing bias or a forgotten normalisation is orders of magnitude above it."""

BATCH: Final = 64
"""Images at once: bounds memory."""

Origin: TypeAlias = Literal["held-out", "training", "seeded-random"]
"""Images kept from training; those trained on, where a device holds none out; noise, where there is no image at all."""


class ParityResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the exported file is from PyTorch, both in fp32.

    Attributes:
        num_images: Images compared.
        images: Where they came from.
        max_abs_error: Largest absolute difference of a logit.
        bound: ``TOLERANCE * max(1, largest absolute logit that no mask forbids)``.
        label_agreement: Share of equal labels, among images whose two largest PyTorch logits differ by more than the
            bound; 1 where there is no such image.
        num_decided: How many such images there are.
        provider: ONNX Runtime's execution provider.
        worst_image: Index of the image with the largest difference.
        worst_class: Index of its class.
        passed: The error is within the bound, and every decided label agrees.
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
            f"(image {self.worst_image}, class {self.worst_class}), bound {self.bound:.2e}, "
            f"labels agree on {self.label_agreement:.2%} of {self.num_decided} decided images"
        )


def compare(bundle: Bundle, session: Any, images: LabelledImages, *, origin: Origin) -> ParityResult:
    """Run both models on the same images.

    The PyTorch side is what training and evaluation use (``normalise``, backbone, ``Head.logits``), not the module that
    was traced, so that a mistake in the traced one shows.

    Args:
        bundle: The source.
        session: Of ``export.runtime.open_session`` on the exported bytes.
        images: (N, channels, height, width), uint8, N at least 1.
        origin: Where they came from, for the record.

    Raises:
        ExportError: There is no image, or one of another size or other class names; or the runtime refuses the input.
    """
    _check_images(bundle, images)
    expected = torch_logits(bundle, images.images)
    found = runtime_logits(session, images.images)
    return judge(expected, found, keep=bundle.head.keep, origin=origin, provider=session.get_providers()[0])


def judge(expected: Tensor, found: Tensor, *, keep: Tensor | None, origin: Origin, provider: str) -> ParityResult:
    """Compare logits (N, num_classes), float32, of PyTorch and of the runtime; ``keep`` (num_classes,) is the mask.

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
    decided = (top[:, 0] - top[:, -1]) > bound
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
        passed=largest <= bound and bool(agree.all()),
    )


def torch_logits(bundle: Bundle, images: Tensor) -> Tensor:
    """Return PyTorch's logits (N, num_classes), float32 on the CPU, of images (N, C, H, W), uint8."""
    backbone = bundle.features()
    with torch.no_grad():
        batches = [
            bundle.head.logits(backbone(normalise(part, bundle.model.mean, bundle.model.std)))
            for part in torch.split(images, BATCH)
        ]
    return torch.cat(batches)


def runtime_logits(session: Any, images: Tensor) -> Tensor:
    """Return ONNX Runtime's logits (N, num_classes), float32, of images (N, C, H, W), uint8.

    Raises:
        ExportError: The runtime refuses the input.
    """
    refused: tuple[type[Exception], ...] = (*refusals(), ValueError)
    try:
        batches = [session.run([OUTPUT], {INPUT: scale(part).numpy()})[0] for part in torch.split(images, BATCH)]
    except refused as cause:
        raise ExportError(f"ONNX Runtime refuses the images: {str(cause).splitlines()[0]}") from cause
    return torch.cat([torch.from_numpy(batch) for batch in batches])


def scale(images: Tensor) -> Tensor:
    """Return what the graph takes: images (N, C, H, W), uint8, as float32 in 0..1."""
    return images.to(torch.float32) / 255.0


def _check_images(bundle: Bundle, images: LabelledImages) -> None:
    shape = (bundle.model.channels, bundle.model.image_size, bundle.model.image_size)
    if len(images) == 0 or tuple(images.images.shape[1:]) != shape or images.images.dtype != torch.uint8:
        raise ExportError(
            f"parity needs images of shape {shape}, uint8; got {tuple(images.images.shape)} {images.images.dtype}"
        )
    if images.class_names != bundle.class_names:
        raise ExportError(f"images have classes {images.class_names}, the model has {bundle.class_names}")
