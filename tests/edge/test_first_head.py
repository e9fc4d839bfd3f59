import pytest
import torch

from edge.device_data import DeviceData
from edge.first_head import first_head
from edge.round import run_round
from shared.images import LabelledImages
from shared.model import initial_model
from shared.settings import MethodSettings, ModelSettings, SharedSettings, TrainingSettings

ETF = torch.eye(3, 64)


def test_every_client_draws_its_own_small_head_and_draws_it_again_the_same() -> None:
    ana, again, ben = (first_head(ETF, bias=True, seed=1, client=name) for name in ("ana", "ana", "ben"))
    assert torch.equal(ana.weight, again.weight)
    assert not torch.equal(ana.weight, ben.weight)
    assert 0.04 < float(ana.weight.norm(dim=1).mean()) < 0.12
    assert ana.bias is not None
    assert first_head(ETF, bias=False, seed=1, client="ana").bias is None


@pytest.mark.parametrize("bias", [False, True])
def test_no_value_of_the_head_after_the_first_round_is_in_the_update(bias: bool) -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, 1, 8, 8), generator=random, dtype=torch.uint8)
    names = ("a", "b", "c")
    data = LabelledImages(images=images, labels=torch.arange(12) % 3, class_names=names)
    settings = SharedSettings(
        federation="tiny",
        class_names=names,
        model=ModelSettings(backbone="resnet8", image_size=8, channels=1),
        method=MethodSettings(bias=bias),
        training=TrainingSettings(local_epochs=1, batch_size=4, crop_padding=1, horizontal_flip=False),
    )
    outcome = run_round(
        initial_model(settings),
        etf=ETF,
        personal=None,
        data=DeviceData(train=data, held_out=data),
        settings=settings,
        round_number=1,
        client="ana",
        device=torch.device("cpu"),
    )
    assert outcome.personal.phi is not None
    assert set(outcome.personal.phi.weight.flatten().tolist()).isdisjoint(
        outcome.delta["psi.weight"].flatten().tolist()
    )
