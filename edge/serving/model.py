"""A model that is loaded and never changes: a whole graph, or a head behind a backbone that others share."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.serving.answers import Answers, read_outputs
from edge.serving.graph import Graph
from edge.serving.pixels import ImageInput, read_input


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel:
    """What one call is answered by, whatever is switched to meanwhile.

    Attributes:
        digest: SHA-256 of the ONNX file; a head's where there is one.
        body: The whole graph, or the backbone.
        head: Features to answers, or None where the body answers itself.
        image_input: What images become.
        class_names: In label order.
    """

    digest: str
    body: Graph
    head: Graph | None = None
    image_input: ImageInput = field(init=False)
    class_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read what the file with the images' side says of itself."""
        described, names = read_input(self.body.metadata)
        object.__setattr__(self, "image_input", described)
        object.__setattr__(self, "class_names", names)

    def answer(self, images: NDArray[np.uint8], *, top_k: int, batch: int) -> Answers:
        """Answer images (N, channels, height, width), uint8, in batches.

        Args:
            images: N at least 1.
            top_k: Classes per image.
            batch: Images per call of the runtime; a file for a fixed number takes that many.

        Raises:
            ExportError: The images do not fit, or the runtime refuses them.
        """
        size = self.body.batch or batch
        parts = [self._outputs(images[start : start + size]) for start in range(0, len(images), size)]
        last = self.body if self.head is None else self.head
        together = {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(last.outputs)}
        k = min(top_k, len(self.class_names))
        classes, scores, unit = read_outputs(together, top_k=k, logits_inside=_answers_logits(last.metadata))
        return Answers(digest=self.digest, class_names=self.class_names, classes=classes, scores=scores, unit=unit)

    def _outputs(self, images: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Run one batch; a file for more images gets the last one again, and those answers are cut off."""
        count = len(images)
        if self.body.batch is not None and count < self.body.batch:
            images = np.concatenate([images, np.repeat(images[-1:], self.body.batch - count, axis=0)])
        fed = self.image_input.feed(images)
        outputs = self.body.run(fed) if self.head is None else self.head.run(self.body.run_on_device(fed))
        return [output[:count] for output in outputs]


def _answers_logits(metadata: dict[str, str]) -> bool:
    options: dict[str, Any] = msgspec.json.decode(metadata.get("options", "{}"))
    return bool(options.get("output", "logits") == "logits")
