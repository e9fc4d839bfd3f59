"""The lab's one pass over the test images against the slow obvious way: every client's images through the network."""

import pytest
import torch
from torch import Tensor

from cloud.lab.fleet import Member
from cloud.lab.measuring import measure_point, personal_accuracies
from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.tensors import Tensors, load_shared_state
from tests.cloud.lab.runs import shards_of, trained

METHODS = ("fedloge", "ditto", "fedrep")
"""Heads on one backbone, backbones of the clients' own, and no generic model."""


def run_network(method: str, backbone: Tensors, images: LabelledImages) -> Tensor:
    """Return features (N, 64) by the plain network, all of one client's images anew each time."""
    model = trained(method).fleet.settings.model
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0).eval()
    load_shared_state(module, backbone)
    pixels = (images.images.float() / 255 - model.mean[0]) / model.std[0]
    with torch.no_grad():
        features: Tensor = module(pixels)
    return features


MARGIN = 1e-4
"""Between the two largest logits: below it the order of a sum may decide, and either answer is taken."""


def is_share_right(found: float, logits: Tensor, labels: Tensor) -> bool:
    """Tell whether an accuracy is the share of images whose largest logit is their label's."""
    low = high = 0
    for row, label in zip(logits, labels, strict=True):
        first, second = row.topk(2).values
        sure, right = float(first - second) > MARGIN, int(row.argmax()) == int(label)
        low += sure and right
        high += right or not sure
    assert high - low <= 0.05 * len(labels), "too many ties to say anything"
    return low <= round(found * len(labels)) <= high


def log_frequencies(member: Member, smoothing: float) -> Tensor:
    counts = [int(count) + smoothing for count in member.counts]
    return torch.tensor([count / sum(counts) for count in counts]).log()


@pytest.mark.parametrize("method", METHODS)
def test_a_point_is_what_running_every_clients_images_through_its_model_gives(method: str) -> None:
    run, shards = trained(method), shards_of(method)
    fleet, seen = run.fleet, run.seen
    generic = generic_by_hand(method)
    point = measure_point(fleet, seen)
    features = run_network(method, seen.model.backbone, shards.evaluation)
    assert is_share_right(point.gm, features @ generic.T, shards.evaluation.labels)
    for member, dealt in zip(fleet.members, shards.clients, strict=True):
        kept = seen.personal[member.client]
        known = dealt.test.select((~dealt.is_new()).nonzero().flatten())
        assert bool(dealt.is_new().any()), "the tests hold images of new classes, which the paper's do not"
        features = run_network(method, seen.model.backbone, known)
        assert is_share_right(point.generic[member.client], features @ generic.T, known.labels)
        if method == "fedloge":
            logits = features @ fleet.etf.T + log_frequencies(member, fleet.settings.method.prior_smoothing)
        else:
            assert kept.phi is not None
            own = seen.model.backbone if kept.backbone is None else kept.backbone
            logits = run_network(method, own, known) @ kept.phi.weight.T
        assert is_share_right(point.personal[member.client], logits, known.labels)


@pytest.mark.parametrize("method", ["fedloge", "ditto"])
def test_the_new_class_protocol_asks_all_images_of_a_clients_test(method: str) -> None:
    run, shards = trained(method), shards_of(method)
    found = personal_accuracies(run.fleet, run.seen, "phi", "none", new_classes=True)
    for dealt in shards.clients:
        kept = run.seen.personal[dealt.client]
        assert kept.phi is not None
        own = run.seen.model.backbone if kept.backbone is None else kept.backbone
        logits = run_network(method, own, dealt.test) @ kept.phi.weight.T
        assert is_share_right(found[dealt.client], logits, dealt.test.labels)


def test_a_mask_is_for_ever_wrong_on_images_of_new_classes() -> None:
    run, shards = trained("fedloge"), shards_of("fedloge")
    masked = personal_accuracies(run.fleet, run.seen, "etf", "train-histogram", new_classes=True)
    known = personal_accuracies(run.fleet, run.seen, "etf", "train-histogram")
    for dealt in shards.clients:
        share_known = float((~dealt.is_new()).double().mean())
        assert masked[dealt.client] == pytest.approx(known[dealt.client] * share_known)


def generic_by_hand(method: str) -> Tensor:
    """Return the generic head (num_classes, 64): S, psi, or the n_k-weighted mean of the heads that clients kept."""
    run = trained(method)
    if method == "fedloge":
        return run.fleet.etf
    if run.seen.model.psi is not None:
        return run.seen.model.psi.weight
    total, weight = 0, torch.zeros_like(run.fleet.etf, dtype=torch.float64)
    for dealt in shards_of(method).clients:
        phi = run.seen.personal[dealt.client].phi
        assert phi is not None
        weight += phi.weight.double() * len(dealt.train)
        total += len(dealt.train)
    return (weight / total).float()


def test_a_method_without_a_shared_head_is_measured_by_the_weighted_mean_of_its_heads() -> None:
    run = trained("fedrep")
    assert run.seen.model.psi is None
    head = run.fleet.generic(run.seen)
    assert isinstance(head, Head)
    torch.testing.assert_close(head.weight, generic_by_hand("fedrep"))
    sizes = {len(dealt.train) for dealt in shards_of("fedrep").clients}
    assert len(sizes) == 3, "clients of one size would not tell a weighted mean from a plain one"


def test_only_methods_with_backbones_of_their_own_run_more_than_one() -> None:
    assert trained("ditto").seen.own.keys() == {"client-00", "client-01", "client-02"}
    assert not trained("fedloge").seen.own
    assert not trained("fedrep").seen.own
