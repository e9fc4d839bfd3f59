"""ONNX graphs from one bundle: a whole model, a backbone alone, a head alone; nothing of the machine that made them.

Whole: ``images`` to answers. Backbone: ``images`` to ``features``. Head: ``features`` to answers. What ``images`` and
answers are is in ``export.options``; all three are put together from the same stages, so a head behind a backbone
computes what the whole model computes.
"""

from typing import Final, Literal, TypeAlias

import msgspec
import onnx
import onnx.numpy_helper
from onnx import ModelProto, TensorProto, ValueInfoProto

from export.answering import answering, answers, features_value
from export.bundle import Bundle, backbone_digest, head_digest
from export.options import OPSET, GraphOptions, check_options
from export.precision import in_precision
from export.preprocessing import image_input, preprocessing
from export.stage import Stage, constant, joined
from export.tracing import IR_VERSION, trace
from shared.errors import ExportError
from shared.images import LabelledImages
from shared.settings import ModelSettings

Part: TypeAlias = Literal["single", "backbone", "head", "complete"]
"""What a file holds: a whole model with its weights, half of one, or a whole one whose weights stand beside it."""

METADATA_VERSION: Final = "2"
DEFAULT: Final = GraphOptions()


def to_onnx(bundle: Bundle, options: GraphOptions = DEFAULT, *, calibration: LabelledImages | None = None) -> bytes:
    """Return the bundle's whole model as ONNX bytes; equal arguments give equal bytes in any folder and process.

    Args:
        bundle: What to export.
        options: How.
        calibration: Images that set the ranges of int8 activations: the device's own training images.

    Raises:
        ExportError: The bundle or the options were refused, or the backbone has an operation ONNX cannot express.
    """
    bundle.module()
    check_options(options, provider="cpu", allowed_classes=allowed_classes(bundle))
    stages = [backbone_stage(bundle, options, calibration), answering(bundle.head, options)]
    return finished(
        joined(stages),
        inputs=[image_input(bundle.model, options)],
        outputs=answers(len(bundle.class_names), options),
        metadata=metadata(bundle, options, part="single"),
    )


def backbone_to_onnx(
    bundle: Bundle, options: GraphOptions = DEFAULT, *, calibration: LabelledImages | None = None
) -> bytes:
    """Return the backbone alone, ``images`` to ``features``, weights inside; arguments and errors as ``to_onnx``."""
    feature_dim = bundle.module().weight.shape[1]
    check_options(options, provider="cpu")
    return finished(
        backbone_stage(bundle, options, calibration),
        inputs=[image_input(bundle.model, options)],
        outputs=[features_value(feature_dim, options)],
        metadata=metadata(bundle, options, part="backbone"),
    )


def head_to_onnx(
    bundle: Bundle, options: GraphOptions = DEFAULT, *, feature_dim: int, digest: str | None = None
) -> bytes:
    """Return the head alone, ``features`` to answers; further arguments and errors as ``to_onnx``.

    Args:
        bundle: Whose head.
        options: How.
        feature_dim: Features of its backbone, which is not built for this.
        digest: Of its backbone, where it is known: it is the slowest part of writing a head.
    """
    bundle.check_head(feature_dim)
    check_options(options, provider="cpu", allowed_classes=allowed_classes(bundle))
    return finished(
        answering(bundle.head, options),
        inputs=[features_value(bundle.head.weight.shape[1], options)],
        outputs=answers(len(bundle.class_names), options),
        metadata=metadata(bundle, options, part="head", digest=digest),
    )


def complete_to_onnx(bundle: Bundle, options: GraphOptions, backbone: ModelProto) -> bytes:
    """Return a whole model around a backbone's graph whose weights may stand in another file, to which it refers too.

    Args:
        bundle: Whose head it gets.
        options: Those of the backbone's graph.
        backbone: Of ``backbone_to_onnx``, its weights inside or outside.

    Raises:
        ExportError: As ``to_onnx``.
    """
    check_options(options, provider="cpu", allowed_classes=allowed_classes(bundle))
    before = Stage(nodes=tuple(backbone.graph.node), constants=tuple(backbone.graph.initializer))
    return finished(
        joined([before, answering(bundle.head, options)]),
        inputs=list(backbone.graph.input),
        outputs=answers(len(bundle.class_names), options),
        metadata=metadata(bundle, options, part="complete"),
        checked=False,  # the checker would look for the weights in the working folder
    )


def backbone_stage(bundle: Bundle, options: GraphOptions, calibration: LabelledImages | None) -> Stage:
    """Return the stages from ``images`` to ``features``.

    Raises:
        ExportError: As ``to_onnx``.
    """
    proto = in_precision(trace(bundle), options.precision, model=bundle.model, calibration=calibration)
    traced = Stage(nodes=tuple(proto.graph.node), constants=tuple(proto.graph.initializer))
    return joined([preprocessing(bundle.model, options), traced])


def allowed_classes(bundle: Bundle) -> int:
    """Return how many classes a model may answer."""
    return len(bundle.class_names) if bundle.head.keep is None else int(bundle.head.keep.sum())


def metadata(
    bundle: Bundle, options: GraphOptions = DEFAULT, *, part: Part = "single", digest: str | None = None
) -> dict[str, str]:
    """Return what a file says about itself, in the order it is written.

    Every part: ``format``, ``part``, ``federation``, ``round``, ``client`` (empty for the generic model),
    ``shared_digest``, ``backbone_digest``, ``options`` (JSON). With a backbone: ``class_names`` (JSON list in label
    order) and ``input`` (JSON). With a head: ``kind``, ``rule``, ``etf_digest``, ``head_digest``.

    Args:
        bundle: The source.
        options: How the file is written.
        part: What it holds.
        digest: Of the backbone, where it is known.
    """
    source = bundle.provenance
    said = {
        "format": METADATA_VERSION,
        "part": part,
        "federation": source.federation,
        "round": str(source.round),
        "client": source.client or "",
        "shared_digest": source.shared_digest,
        "backbone_digest": digest or backbone_digest(bundle),
        "options": msgspec.json.encode(options).decode(),
    }
    if part != "head":
        said["class_names"] = msgspec.json.encode(bundle.class_names).decode()
        said["input"] = msgspec.json.encode(describe_input(bundle.model, options)).decode()
    if part != "backbone":
        said["kind"] = bundle.kind
        said["rule"] = bundle.rule
        said["etf_digest"] = source.etf_digest
        said["head_digest"] = head_digest(bundle.head)
    return said


def describe_input(model: ModelSettings, options: GraphOptions) -> dict[str, object]:
    """Return what the input is, for readers of the file who have not ours."""
    if options.input == "uint8-nhwc":
        return {"layout": "NHWC", "range": [0, 255], "size": "any", "channels": model.channels}
    values: object = [0, 1] if options.input == "unit-nchw" else {"mean": model.mean, "std": model.std}
    return {"layout": "NCHW", "range": values, "size": model.image_size, "channels": model.channels}


def finished(
    stage: Stage,
    *,
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    metadata: dict[str, str],
    checked: bool = True,
) -> bytes:
    """Return a model of one stage as bytes.

    Raises:
        ExportError: It is not valid ONNX.
    """
    constants = [_plainly_stored(tensor) for tensor in stage.constants]
    graph = onnx.helper.make_graph(list(stage.nodes), "fedloge", inputs, outputs, initializer=constants)
    proto = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="fedloge"
    )
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value)
    try:
        if checked:
            onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as cause:
        raise ExportError(f"the graph is not valid ONNX: {cause}") from cause
    return bytes(proto.SerializeToString(deterministic=True))


def _plainly_stored(tensor: TensorProto) -> TensorProto:
    """Return a constant whose numbers are raw bytes, one way of the several there are: so its size can be checked."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.HasField("raw_data"):
        return tensor
    return constant(tensor.name, onnx.numpy_helper.to_array(tensor))
