"""The last stage of a graph: from features to answers, by one Gemm, a mask on logits, softmax and top-k as asked."""

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, ValueInfoProto

from export.options import GraphOptions
from export.stage import Stage, constant, node
from shared.heads import MASKED_LOGIT, Head

FEATURES: Final = "features"
"""What a backbone computes and a head reads: (batch, feature_dim), float32."""

LOGITS: Final = "logits"
"""Always computed under this name, whether or not it is an output: parity is measured on it."""

PROBABILITIES: Final = "probabilities"
SCORES: Final = "scores"
CLASSES: Final = "classes"


def answering(head: Head, options: GraphOptions) -> Stage:
    """Return the stage from ``features`` to the outputs of ``answers``.

    Args:
        head: The rule's heads, already added up; in a graph they are one Gemm.
        options: Which answers.
    """
    linear = "unmasked" if head.keep is not None else LOGITS
    nodes = [node("Gemm", f"{FEATURES} weight" + (" bias" if head.bias is not None else ""), linear, transB=1)]
    constants = [constant("weight", head.weight.detach().cpu().numpy())]
    if head.bias is not None:
        constants.append(constant("bias", head.bias.detach().cpu().numpy()))
    if head.keep is not None:
        nodes.append(node("Where", "keep unmasked forbidden", LOGITS))
        constants.append(constant("keep", head.keep.cpu().numpy()))
        constants.append(constant("forbidden", np.array(MASKED_LOGIT, np.float32)))
    shares = options.output == "probabilities"
    if shares:
        nodes.append(node("Softmax", LOGITS, PROBABILITIES, axis=1))
    if options.top_k is not None:
        # by logits: an unlikely class's probability may be 0 in fp32, and would tie with those the mask forbids
        scores = "best" if shares else SCORES
        nodes.append(node("TopK", f"{LOGITS} k", f"{scores} {CLASSES}", axis=1, largest=1, sorted=1))
        constants.append(constant("k", np.array([options.top_k])))
        if shares:
            nodes.append(node("GatherElements", f"{PROBABILITIES} {CLASSES}", SCORES, axis=1))
    return Stage(nodes=tuple(nodes), constants=tuple(constants))


def answers(num_classes: int, options: GraphOptions) -> list[ValueInfoProto]:
    """Describe the outputs: one of ``logits`` and ``probabilities``, or ``scores`` and ``classes`` with top-k."""
    batch = options.batch or "batch"
    if options.top_k is not None:
        shape = [batch, options.top_k]
        return [
            onnx.helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, shape),
            onnx.helper.make_tensor_value_info(CLASSES, TensorProto.INT64, shape),
        ]
    return [onnx.helper.make_tensor_value_info(options.output, TensorProto.FLOAT, [batch, num_classes])]


def features_value(feature_dim: int, options: GraphOptions) -> ValueInfoProto:
    """Describe ``features``, as an output of a backbone or an input of a head."""
    return onnx.helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [options.batch or "batch", feature_dim])
