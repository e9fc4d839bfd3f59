"""Images through ONNX Runtime: whole models, or a head behind a backbone, down to the logits behind the answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor

from export.answering import CLASSES, FEATURES, LOGITS, PROBABILITIES, SCORES
from export.options import GraphOptions
from export.preprocessing import IMAGES
from export.runtime import open_session, refusals
from export.views import feed
from shared.errors import ExportError
from shared.settings import ModelSettings

BATCH: Final = 64
"""Images at once: bounds memory."""

ANSWER_TOLERANCE: Final = 1e-6
"""Largest difference of a probability or a score from what PyTorch makes of the same logits: a softmax over a few
hundred classes in fp32 is that exact; eight times the spacing of numbers just above 1."""


class Chain:
    """A backbone's session and a head's, run one behind the other as if they were one.

    Args:
        backbone: ``images`` to ``features``.
        head: ``features`` to answers.
    """

    def __init__(self, backbone: Any, head: Any) -> None:
        self.backbone, self.head = backbone, head

    def run(self, names: list[str], feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the head's outputs ``names`` of the backbone's input."""
        features = self.backbone.run([FEATURES], feeds)[0]
        found: list[NDArray[Any]] = self.head.run(names, {FEATURES: features})
        return found

    def get_providers(self) -> list[str]:
        """Return the backbone's execution providers."""
        providers: list[str] = self.backbone.get_providers()
        return providers


def open_proving(payload: bytes, *, external: Mapping[str, bytes] | None = None) -> Any:
    """Open a model on the CPU so that its logits can be read, whatever it answers with.

    Raises:
        ExportError: As ``open_session``.
    """
    return open_session(with_logits(payload), device="cpu", external=external)


def with_logits(payload: bytes) -> bytes:
    """Return a model that also puts out the logits its answers are made of; a backbone as it is."""
    proto = onnx.load_model_from_string(payload)
    inside = any(LOGITS in node.output for node in proto.graph.node)
    if not inside or any(value.name == LOGITS for value in proto.graph.output):
        return payload
    proto.graph.output.append(onnx.helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, None))
    return bytes(proto.SerializeToString())


def logits_of(session: Any, images: Sequence[Tensor], model: ModelSettings, options: GraphOptions) -> Tensor:
    """Return ONNX Runtime's logits (N, num_classes), float32, of all views.

    Args:
        session: Of ``open_proving``, or a ``Chain``.
        images: Views of ``export.views.views``, each (M, channels, height, width), uint8.
        model: How images are normalised.
        options: How the file was written.

    Raises:
        ExportError: The runtime refuses the input, or the answers do not follow from the logits.
    """
    found = [_batch(session, IMAGES, feed(part, model, options), options) for part in _parts(images, options)]
    return torch.cat(found)


def head_logits(session: Any, features: Tensor, options: GraphOptions) -> Tensor:
    """Return a head's logits (N, num_classes) of features (N, feature_dim), both float32; errors as ``logits_of``."""
    parts = torch.split(features, options.batch or BATCH)
    return torch.cat([_batch(session, FEATURES, part.numpy(), options) for part in parts])


def features_of(session: Any, images: Sequence[Tensor], model: ModelSettings, options: GraphOptions) -> Tensor:
    """Return a backbone's features (N, feature_dim), float32, of all views; errors as ``logits_of``."""
    found = []
    for part in _parts(images, options):
        outputs = _run(session, [FEATURES], IMAGES, feed(part, model, options), options)
        found.append(torch.from_numpy(outputs[0]))
    return torch.cat(found)


def _parts(images: Sequence[Tensor], options: GraphOptions) -> list[Tensor]:
    return [part for view in images for part in torch.split(view, options.batch or BATCH)]


def _batch(session: Any, name: str, values: NDArray[Any], options: GraphOptions) -> Tensor:
    names = [LOGITS, *answer_names(options)]
    outputs = _run(session, list(dict.fromkeys(names)), name, values, options)
    logits = torch.from_numpy(outputs[0])
    check_answers(dict(zip(names[1:], outputs[-len(names) + 1 :], strict=True)), logits, options)
    return logits


def _run(session: Any, names: list[str], name: str, values: NDArray[Any], options: GraphOptions) -> list[NDArray[Any]]:
    """Run one batch; a file for a fixed batch gets the last image again until it is full, and those are cut off."""
    refused: tuple[type[Exception], ...] = (*refusals(), ValueError)
    count = len(values)
    if options.batch is not None and count < options.batch:
        values = np.concatenate([values, np.repeat(values[-1:], options.batch - count, axis=0)])
    try:
        return [output[:count] for output in session.run(names, {name: values})]
    except refused as cause:
        raise ExportError(f"ONNX Runtime refuses the images: {str(cause).splitlines()[0]}") from cause


def answer_names(options: GraphOptions) -> tuple[str, ...]:
    """Return the names of a model's outputs."""
    return (SCORES, CLASSES) if options.top_k is not None else (options.output,)


def check_answers(found: Mapping[str, NDArray[Any]], logits: Tensor, options: GraphOptions) -> None:
    """Compare answers with what PyTorch makes of the same logits (N, num_classes).

    Raises:
        ExportError: A probability, a score or its class does not follow from the logits.
    """
    expected = logits.softmax(1) if options.output == PROBABILITIES else logits
    if options.top_k is None:
        largest = float((torch.from_numpy(found[options.output]) - expected).abs().max())
    else:
        scores, classes = torch.from_numpy(found[SCORES]), torch.from_numpy(found[CLASSES])
        off_best = (scores - expected.topk(options.top_k, dim=1).values).abs().max()
        off_own = (scores - expected.gather(1, classes)).abs().max()
        largest = float(torch.maximum(off_best, off_own))
    if not largest <= ANSWER_TOLERANCE:  # a NaN is no answer either
        raise ExportError(f"the answers are off by {largest:.1e} from what follows from the model's own logits")
