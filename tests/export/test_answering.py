"""A head's graph is one Gemm whatever the rule, its answers follow from the logits, and a mask holds in all of them."""

from dataclasses import replace
from typing import get_args

import numpy as np
import onnx
import pytest
import torch

from export.graph import head_to_onnx
from export.options import GraphOptions
from export.running import check_answers, head_logits, open_proving
from export.runtime import open_session
from shared.errors import ExportError
from shared.heads import MASKED_LOGIT
from shared.prediction import personal_head
from shared.settings import MaskRule, PersonalRule
from tests.export.samples import MASK, NUM_CLASSES, make_bundle, random_head

DIM = 64
COUNTS = torch.where(MASK, torch.arange(1, NUM_CLASSES + 1), 0)
ANSWERS = (GraphOptions(), GraphOptions(output="probabilities"), GraphOptions(output="probabilities", top_k=3))


def features(count: int = 9) -> torch.Tensor:
    return torch.randn(count, DIM, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("mask", get_args(MaskRule))
@pytest.mark.parametrize("rule", get_args(PersonalRule))
def test_every_rule_and_mask_is_one_gemm_that_answers_as_the_rule_does(rule: PersonalRule, mask: MaskRule) -> None:
    head = personal_head(
        rule,
        mask,
        etf=random_head(DIM, seed=1).weight,
        psi=random_head(DIM, bias=True, seed=2),
        phi=random_head(DIM, bias=True, seed=3),
        class_counts=COUNTS,
        smoothing=0.1,
    )
    bundle = replace(make_bundle(), head=head, rule=rule)
    expected = head.logits(features())
    for options in ANSWERS:
        payload = head_to_onnx(bundle, options, feature_dim=DIM)
        operators = [node.op_type for node in onnx.load_model_from_string(payload).graph.node]
        assert operators.count("Gemm") == 1
        assert operators.count("Where") == (mask != "none")
        assert len(payload) <= NUM_CLASSES * DIM * 4 + 4096
        found = head_logits(open_proving(payload), features(), options)
        assert float((found - expected).abs().max()) <= 1e-5 * float(expected[:, MASK].abs().max())


def test_a_forbidden_class_is_never_answered() -> None:
    bundle = replace(make_bundle(), head=random_head(DIM, bias=True, masked=True))
    feeds = {"features": features(200).numpy() * 10}
    allowed = int(MASK.sum())
    for output in ("logits", "probabilities"):
        options = GraphOptions(output=output, top_k=allowed)  # type: ignore[arg-type]
        scores, classes = open_session(head_to_onnx(bundle, options, feature_dim=DIM), device="cpu").run(None, feeds)
        assert MASK.numpy()[classes].all()
        assert (scores > MASKED_LOGIT).all()
        assert (np.diff(scores, axis=1) <= 0).all()
        if output == "probabilities":
            assert (scores[:, -1] == 0).any(), "the case that matters: a class allowed, and too unlikely for fp32"
    options = GraphOptions(output="probabilities")
    (shares,) = open_session(head_to_onnx(bundle, options, feature_dim=DIM), device="cpu").run(None, feeds)
    assert (shares[:, ~MASK.numpy()] == 0).all()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    with pytest.raises(ExportError, match=f"only {allowed} classes"):
        head_to_onnx(bundle, GraphOptions(top_k=allowed + 1), feature_dim=DIM)


def test_a_fixed_batch_is_fixed_and_a_last_part_of_one_is_still_compared() -> None:
    options = GraphOptions(batch=4)
    bundle = replace(make_bundle(), head=random_head(DIM))
    session = open_proving(head_to_onnx(bundle, options, feature_dim=DIM))
    assert session.get_inputs()[0].shape == [4, DIM]
    found = head_logits(session, features(), options)  # 9 images: 4, 4 and 1
    torch.testing.assert_close(found, bundle.head.logits(features()))


@pytest.mark.parametrize("wrong", ["order", "class", "share", "nan"])
def test_answers_that_do_not_follow_from_the_logits_are_refused(wrong: str) -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0]])
    options = GraphOptions(top_k=2)
    scores, classes = np.array([[3.0, 2.0]], np.float32), np.array([[0, 2]])
    check_answers({"scores": scores, "classes": classes}, logits, options)
    if wrong == "order":
        scores = scores[:, ::-1].copy()
    elif wrong == "class":
        classes = np.array([[0, 1]])
    elif wrong == "nan":
        scores = scores * np.nan
    found = {"scores": scores, "classes": classes}
    if wrong == "share":
        found, options = {"probabilities": logits.numpy()}, GraphOptions(output="probabilities")
    with pytest.raises(ExportError, match="off by"):
        check_answers(found, logits, options)


def test_a_head_for_another_width_is_refused() -> None:
    with pytest.raises(ExportError, match=r"head.weight is"):
        head_to_onnx(make_bundle(), feature_dim=DIM + 1)
