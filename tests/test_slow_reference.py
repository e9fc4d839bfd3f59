"""The product's round and evaluation against the same thing written the slow obvious way."""

import pytest
import torch

from benchmarks.calibration import Calibration, fast_evaluation, fast_round, generic_heads, personal_heads
from edge.starting import starting_point
from shared.data import Splits
from shared.images import LabelledImages
from shared.model import initial_model, pack
from shared.settings import ModelSettings, ReportSettings, SharedSettings, TrainingSettings
from shared.shards import deal
from tests.edge.samples import NAMES, frame
from tests.slow_reference import slow_evaluation, slow_round


def shaded(per_class: int, seed: int) -> LabelledImages:
    """Images of four classes that differ in brightness."""
    labels = torch.arange(4 * per_class) % 4
    noise = torch.randint(0, 120, (len(labels), 3, 8, 8), generator=torch.Generator().manual_seed(seed))
    images = (noise + 40 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    return LabelledImages(images=images, labels=labels, class_names=NAMES)


@pytest.fixture(scope="module")
def setting() -> Calibration:
    splits = Splits(train=shaded(30, 0), test=shaded(15, 1), class_names=NAMES, image_size=8, channels=3)
    clients = ["client-1", "client-2", "client-3"]
    shards = deal(splits, clients=clients, imbalance_factor=5, alpha=0.5, seed=2)
    settings = SharedSettings(
        federation="test",
        class_names=NAMES,
        seed=2,
        model=ModelSettings(image_size=8),
        training=TrainingSettings(batch_size=8, local_epochs=1, crop_padding=2, precision="fp32"),
        report=ReportSettings(received=False),
    )
    model, etf = initial_model(settings), frame(settings)
    phis = {name: starting_point(model, etf=etf, settings=settings, client=name).phi for name in clients}
    return Calibration(shards=shards, settings=settings, model=model, etf=etf, phis=phis)


def test_a_round_leaves_the_model_and_the_heads_that_the_slow_way_leaves(setting: Calibration) -> None:
    clients = setting.shards.clients[:2]
    slow = slow_round(
        setting.model, etf=setting.etf, phis=setting.phis, clients=clients, settings=setting.settings, round_number=1
    )
    fast = fast_round(setting, clients)
    before, expected, found = pack(setting.model), pack(slow.model), pack(fast.model)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        # channels-last convolutions add in another order: a few units of fp32 rounding over the steps
        assert torch.allclose(found[name], tensor, rtol=1e-4, atol=1e-6), name
        assert not torch.equal(found[name], before[name]), f"{name} did not train"
    assert fast.phis.keys() == slow.phis.keys()
    for client, head in slow.phis.items():
        assert torch.allclose(fast.phis[client].weight, head.weight, rtol=1e-4, atol=1e-6)


def test_one_pass_of_the_backbone_gives_every_figure_that_a_pass_per_model_and_client_gives(
    setting: Calibration,
) -> None:
    model = fast_round(setting, setting.shards.clients).model
    generic, personal = generic_heads(setting, model, every_rule=True), personal_heads(setting, model)
    slow = slow_evaluation(
        model,
        generic=generic,
        personal=personal,
        clients=setting.shards.clients,
        evaluation=setting.shards.evaluation,
        settings=setting.settings,
    )
    assert fast_evaluation(setting, model, generic, personal) == slow
    assert len(slow.gm) == 3
    assert len(set(slow.personal.values()) | set(slow.generic.values())) > 2
