"""The exported model computes what training and evaluation compute, for every kind of head and backbone."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from export.bundle import Bundle, Rule
from export.graph import to_onnx
from export.parity import TOLERANCE, compare, judge
from export.runtime import open_session
from shared.errors import ExportError
from shared.heads import MASKED_LOGIT, Head, add
from shared.images import LabelledImages
from shared.settings import GenericRule, ModelSettings, PersonalRule
from tests.export.samples import MASK, feature_dim, make_bundle, make_images, model_settings, random_head

TINY = model_settings()
RESNET18 = model_settings("resnet18", image_size=16, channels=3)
SQUEEZENET = model_settings("squeezenet1_1", image_size=32, channels=3)
"""No residual blocks, no BatchNorm, convolutions with bias, concatenations."""


def head_of(rule: Rule, dim: int) -> Head:
    """Return a head with the structure a rule gives: sums of heads, and biases where a prior or a bias has its say."""
    parts = {"etf": 10, "psi": 11, "phi": 12, "realigned": 13}
    heads = [random_head(dim, bias=name == "realigned", seed=parts[name]) for name in rule.split("+") if name in parts]
    total = add(heads)
    return replace(total, bias=torch.linspace(-7, 0, total.weight.shape[0])) if rule.endswith("prior") else total


def check(bundle: Bundle, images: LabelledImages) -> None:
    result = compare(bundle, open_session(to_onnx(bundle), device="cpu"), images, origin="held-out")
    assert result.passed, result.summary()
    assert result.max_abs_error <= result.bound
    assert result.label_agreement == 1.0
    assert result.num_decided > 0
    assert result.provider == "CPUExecutionProvider"


RULES: list[tuple[Rule, bool]] = [(rule, index % 2 == 0) for index, rule in enumerate(get_args(PersonalRule))]


@pytest.mark.parametrize(("rule", "masked"), [*RULES, ("etf+prior", not RULES[0][1])])
def test_parity_of_every_personal_rule(rule: Rule, masked: bool) -> None:
    head = replace(head_of(rule, feature_dim(TINY)), keep=MASK if masked else None)
    check(make_bundle(TINY, head=head, rule=rule), make_images(TINY))


def test_parity_of_a_generic_model() -> None:
    """Every generic rule is one of the personal ones too: the same head, the same graph."""
    assert set(get_args(GenericRule)) <= set(get_args(PersonalRule))
    before = torch.get_rng_state()
    check(make_bundle(TINY, head=head_of("psi", feature_dim(TINY)), kind="generic", rule="psi"), make_images(TINY))
    assert torch.equal(torch.get_rng_state(), before), "exporting drew from the global generator"


@pytest.mark.parametrize("model", [RESNET18, SQUEEZENET], ids=lambda model: model.backbone)
@pytest.mark.parametrize("full", [False, True], ids=["weight-only", "bias-and-mask"])
def test_parity_of_other_backbones(model: ModelSettings, full: bool) -> None:
    head = random_head(feature_dim(model), bias=full, masked=full)
    check(make_bundle(model, head=head), make_images(model, count=7))


@pytest.mark.parametrize("count", [1, 7, 130])
def test_any_number_of_images_is_compared(bundle: Bundle, graph: bytes, count: int) -> None:
    result = compare(
        bundle, open_session(graph, device="cpu"), make_images(bundle.model, count=count), origin="held-out"
    )
    assert result.passed
    assert result.num_images == count


def test_a_mask_does_not_loosen_the_bound() -> None:
    logits = torch.tensor([[2.0, MASKED_LOGIT, 1.0]])
    keep = torch.tensor([True, False, True])
    found = logits + torch.tensor([[3e-5, 0.0, 0.0]])
    result = judge(logits, found, keep=keep, origin="held-out", provider="p")
    assert result.bound == pytest.approx(2 * TOLERANCE)
    assert not result.passed
    assert (result.worst_image, result.worst_class) == (0, 0)


def test_a_mask_that_was_forgotten_fails() -> None:
    logits = torch.tensor([[2.0, MASKED_LOGIT, 1.0]])
    found = torch.tensor([[2.0, 1.5, 1.0]])
    result = judge(logits, found, keep=torch.tensor([True, False, True]), origin="held-out", provider="p")
    assert not result.passed
    assert result.worst_class == 1


def test_the_bound_grows_with_the_logits_and_not_below_one() -> None:
    small, large = torch.tensor([[0.1, 0.2]]), torch.tensor([[50.0, -400.0]])
    assert judge(small, small, keep=None, origin="held-out", provider="p").bound == TOLERANCE
    assert judge(large, large, keep=None, origin="held-out", provider="p").bound == pytest.approx(400 * TOLERANCE)


def test_labels_may_differ_only_where_the_margin_is_within_the_bound() -> None:
    expected = torch.tensor([[1.0, 1.0 + 2e-6], [1.0, 0.0]])
    tie = torch.tensor([[1.0 + 4e-6, 1.0], [1.0, 0.0]])
    result = judge(expected, tie, keep=None, origin="held-out", provider="p")
    assert result.passed
    assert (result.num_decided, result.label_agreement) == (1, 1.0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_logit_that_is_not_finite_fails_and_is_found(value: float) -> None:
    expected = torch.zeros(3, 4)
    found = expected.clone()
    found[2, 1] = value
    result = judge(expected, found, keep=None, origin="held-out", provider="p")
    assert not result.passed
    assert (result.worst_image, result.worst_class) == (2, 1)


def test_images_of_another_size_or_other_classes_are_refused(bundle: Bundle, graph: bytes) -> None:
    session = open_session(graph, device="cpu")
    none_at_all = make_images().select(torch.tensor([], dtype=torch.int64))
    wrong_size = make_images(model_settings(image_size=12))
    renamed = LabelledImages(
        images=make_images().images, labels=make_images().labels, class_names=bundle.class_names[::-1]
    )
    for images in (none_at_all, wrong_size, renamed):
        with pytest.raises(ExportError):
            compare(bundle, session, images, origin="held-out")


@pytest.mark.parametrize("change", ["weight", "bias", "mean", "mask"])
def test_a_graph_of_another_model_fails(bundle: Bundle, graph: bytes, change: str) -> None:
    head = bundle.head
    assert head.bias is not None
    others = {
        "weight": replace(bundle, head=replace(head, weight=head.weight + 1e-3)),
        "bias": replace(bundle, head=replace(head, bias=head.bias + 1e-3)),
        "mean": replace(bundle, model=ModelSettings(image_size=8, channels=1, mean=(0.481,), std=(0.21,))),
        "mask": replace(bundle, head=replace(head, keep=~MASK)),
    }
    session = open_session(graph, device="cpu")
    assert not compare(others[change], session, make_images(), origin="held-out").passed
