"""fp16 and int8 cost little accuracy on a trained model, are judged by it, and leave the head in fp32."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch
from onnx import ModelProto, TensorProto

from export.bundle import Bundle, Provenance, write_bundle
from export.options import GraphOptions, Precision
from export.precision import in_precision
from export.publish import export_model
from export.tracing import trace
from export.verify import verify
from shared.backbones import build_backbone
from shared.data import read
from shared.data.splits import Splits
from shared.errors import ExportError, VerificationError
from shared.heads import Head
from shared.images import normalise
from shared.metrics import class_groups
from shared.settings import ModelSettings
from shared.tensors import shared_state

MODEL = ModelSettings(backbone="resnet8", image_size=8, channels=1)
REDUCED: tuple[Precision, ...] = ("fp16", "int8")


@pytest.fixture(scope="module")
def digits() -> Splits:
    return read("digits")


@pytest.fixture(scope="module")
def trained(digits: Splits) -> Bundle:
    """A ResNet-8 that has seen each digit five times: its labels mean something."""
    train, order = digits.train, torch.Generator().manual_seed(0)
    net = build_backbone("resnet8", image_size=8, channels=1, seed=0)
    head = torch.nn.Linear(net.feature_dim, len(train.class_names))
    with torch.no_grad():
        head.weight.zero_()
    step = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.05, momentum=0.9)
    for _ in range(5):
        for chosen in torch.randperm(len(train), generator=order).split(64):
            shown = normalise(train.images[chosen], MODEL.mean, MODEL.std)
            loss = torch.nn.functional.cross_entropy(head(net(shown)), train.labels[chosen])
            step.zero_grad()
            loss.backward()
            step.step()
    return Bundle(
        kind="personal",
        rule="phi",
        class_names=train.class_names,
        model=MODEL,
        provenance=Provenance(
            federation="digits", round=5, client="device-1", shared_digest="a1" * 32, etf_digest="b2" * 32
        ),
        backbone=shared_state(net),
        head=Head(weight=head.weight.detach().clone(), bias=head.bias.detach().clone()),
    )


@pytest.fixture(scope="module")
def proto(trained: Bundle) -> ModelProto:
    return trace(trained)


@pytest.fixture
def quick(proto: ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    def copied(_bundle: Bundle) -> ModelProto:
        copy = ModelProto()
        copy.CopyFrom(proto)
        return copy

    monkeypatch.setattr("export.graph.trace", copied)


def export(bundle: Bundle, digits: Splits, path: Path, options: GraphOptions) -> Any:
    groups = tuple(class_groups(digits.train.class_counts()))
    return export_model(
        bundle,
        images=digits.evaluation,
        images_source="held-out:digits",
        path=path,
        source=path.parent / "bundle",
        options=options,
        calibration=digits.train,
        class_groups=groups,
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("precision", REDUCED)
def test_a_trained_model_keeps_its_accuracy_and_the_certificate_says_how_much(
    trained: Bundle, digits: Splits, tmp_path: Path, precision: Precision
) -> None:
    path = tmp_path / "model.onnx"
    options = GraphOptions(precision=precision, input="uint8-nhwc", output="probabilities", top_k=3)
    write_bundle(tmp_path / "bundle", trained)
    record = export(trained, digits, path, options)
    points = 0.5 if precision == "fp16" else 1.0
    assert record.accuracy.num_images == len(digits.evaluation)
    assert record.accuracy.pytorch > 0.85
    assert record.accuracy.exported >= record.accuracy.pytorch - points / 100
    assert record.accuracy.allowed_loss == pytest.approx(points / 100)
    assert {group.group for group in record.accuracy.groups} >= {"head", "medium"}
    assert record.tolerance.accuracy_points == points
    assert record.parity.max_abs_error > record.parity.bound  # fp32's: this is why accuracy must decide
    assert (record.calibration is not None) == (precision == "int8")
    again = verify(path, images=digits.evaluation)
    assert (again.parity, again.accuracy) == (record.parity, record.accuracy)


def test_int8_weights_have_a_scale_per_channel_and_seven_bits(proto: ModelProto, digits: Splits) -> None:
    made = [in_precision(proto, "int8", model=MODEL, calibration=digits.train) for _ in range(2)]
    assert made[0].SerializeToString(deterministic=True) == made[1].SerializeToString(deterministic=True)
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in made[0].graph.initializer}
    by_output = {name: node for node in made[0].graph.node for name in node.output}
    convolutions = [node for node in made[0].graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 9
    for convolution in convolutions:
        dequantised = by_output[convolution.input[1]]
        assert dequantised.op_type == "DequantizeLinear"
        weight, scale = (arrays[name] for name in dequantised.input[:2])
        assert (weight.dtype, scale.shape) == (np.int8, (weight.shape[0],))
        assert int(np.abs(weight.astype(int)).max()) <= 64
    assert {(o.domain, o.version) for o in made[0].opset_import} == {("", 18)}


def test_fp16_halves_the_backbone_and_leaves_its_ends_in_fp32(proto: ModelProto) -> None:
    half = in_precision(proto, "fp16", model=MODEL, calibration=None)
    types = [t.data_type for t in half.graph.initializer if t.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)]
    assert set(types) == {TensorProto.FLOAT16}
    ends = [value.type.tensor_type.elem_type for value in (*half.graph.input, *half.graph.output)]
    assert ends == [TensorProto.FLOAT, TensorProto.FLOAT]
    assert len(half.SerializeToString()) < 0.6 * len(proto.SerializeToString())
    assert proto.graph.initializer[0].data_type == TensorProto.FLOAT, "the traced graph was changed"


def test_a_weight_beyond_fp16_is_refused(proto: ModelProto) -> None:
    large = ModelProto()
    large.CopyFrom(proto)
    tensor = next(t for t in large.graph.initializer if t.name.endswith("weight"))
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = 70000.0
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name=tensor.name))
    with pytest.raises(ExportError, match="beyond fp16"):
        in_precision(large, "fp16", model=MODEL, calibration=None)


def test_int8_without_images_to_calibrate_on_is_refused(proto: ModelProto) -> None:
    with pytest.raises(ExportError, match="calibrate"):
        in_precision(proto, "int8", model=MODEL, calibration=None)


@pytest.mark.parametrize("precision", REDUCED)
def test_images_without_labels_cannot_judge_accuracy(trained: Bundle, tmp_path: Path, precision: Precision) -> None:
    from export.publish import random_images

    images = random_images(trained.model, trained.class_names)
    with pytest.raises(ExportError, match="random images have no labels"):
        export_model(
            trained,
            images=images,
            images_source="seeded-random:0",
            path=tmp_path / "m.onnx",
            options=GraphOptions(precision=precision),
            calibration=images,
        )


@pytest.mark.usefixtures("quick")
def test_a_model_that_loses_more_than_allowed_is_neither_exported_nor_verified(
    trained: Bundle, digits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, options = tmp_path / "model.onnx", GraphOptions(precision="fp16")
    write_bundle(tmp_path / "bundle", trained)
    export(trained, digits, path, options)
    before = path.read_bytes()
    weight = trained.head.weight.clone()
    weight[7] = 0  # the source can still tell a seven, the file cannot
    monkeypatch.setattr("export.graph.answering", spoiled(weight))
    with pytest.raises(ExportError, match="was not exported") as caught:
        export(trained, digits, path, options)
    assert "higher precision" in caught.value.remedy
    assert path.read_bytes() == before
    wrong = digits.evaluation
    shuffled = replace(wrong, labels=(wrong.labels + 1) % 10)
    assert verify(path, images=shuffled).accuracy is not None  # both sides are equally wrong: nothing is lost
    monkeypatch.setattr("export.verify.prove", lambda *_args, **_options: failed())
    with pytest.raises(VerificationError, match="no longer computes"):
        verify(path, images=digits.evaluation)


def spoiled(weight: torch.Tensor) -> Any:
    from export.answering import answering

    return lambda head, options: answering(replace(head, weight=weight), options)


def failed() -> Any:
    from export.parity import Proof, judge

    logits = torch.zeros(1, 2)
    parity = judge(logits, logits * torch.nan, keep=None, origin="held-out", provider="p", bounded=False)
    return Proof(parity=parity, accuracy=None)
