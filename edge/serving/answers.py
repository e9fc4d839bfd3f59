"""What a model says of images, and which version of it said so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import ExportError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The k most likely classes of N images.

    Attributes:
        digest: SHA-256 of the ONNX file that answered, a head's where there are several behind one backbone.
        class_names: In label order.
        classes: (N, k), int64, most likely first.
        scores: (N, k), float32.
        unit: "probability", or "logit" where the file gives no more than the largest logits.
    """

    digest: str
    class_names: tuple[str, ...]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]
    unit: Literal["probability", "logit"] = "probability"

    def __len__(self) -> int:
        """Return how many images were answered."""
        return len(self.classes)

    def named(self, index: int) -> list[tuple[str, float]]:
        """Return one image's classes by name with their scores."""
        return [
            (self.class_names[label], float(score))
            for label, score in zip(self.classes[index], self.scores[index], strict=True)
        ]


def read_outputs(
    outputs: Mapping[str, NDArray[Any]], *, top_k: int, logits_inside: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32], Literal["probability", "logit"]]:
    """Return classes (N, k), scores (N, k) and their unit from a graph's outputs.

    Args:
        outputs: ``logits`` or ``probabilities`` (N, num_classes); or ``scores`` and ``classes`` (N, K), K at least k.
        top_k: k; more than there are classes gives all of them.
        logits_inside: Whether ``scores`` are logits.

    Raises:
        ExportError: The file answers with fewer than k classes, or with none of these.
    """
    if "classes" in outputs:
        classes, scores = outputs["classes"], outputs["scores"]
        if classes.shape[1] < top_k:
            raise ExportError(
                f"the file was exported to answer {classes.shape[1]} classes, {top_k} were asked for",
                remedy="ask for fewer, or export it with a larger top-k",
            )
        return classes[:, :top_k], scores[:, :top_k], "logit" if logits_inside else "probability"
    if "probabilities" in outputs:
        likely = outputs["probabilities"]
    elif "logits" in outputs:
        likely = softmax(outputs["logits"])
    else:
        raise ExportError(f"the file answers with {sorted(outputs)}, expected logits or probabilities")
    order = np.argsort(-likely, axis=1, kind="stable")[:, :top_k]
    return order.astype(np.int64), np.take_along_axis(likely, order, axis=1).astype(np.float32), "probability"


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Return probabilities (N, num_classes) of logits, float32; the largest is taken off first, so none overflows."""
    powers = np.exp(logits.astype(np.float32) - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares
