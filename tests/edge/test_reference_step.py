"""The local step against the method as the paper tells it, written the slow obvious way in ``tests.slow_reference``."""

import pytest
import torch
from torch import Tensor

from edge.trainer import LocalModel, train_locally
from shared.backbones import build_backbone
from shared.images import LabelledImages
from shared.settings import MethodSettings, SharedSettings, TrainingSettings
from shared.tensors import load_shared_state, shared_state
from tests.edge.samples import CPU, frame, labelled_images, local_model, shared_settings, tensors_of
from tests.slow_reference import head, linear, slow_training

LABELS = [0] * 6 + [1] * 2 + [3]  # nine images in fours: the last one joins the batch before it
ROUND, CLIENT = 2, "agent-7"


def reference(model: LocalModel, data: LabelledImages, etf: Tensor, settings: SharedSettings) -> LocalModel:
    backbone = build_backbone(settings.model.backbone, image_size=8, channels=3, seed=0)
    load_shared_state(backbone, model.backbone)
    assert model.psi is not None
    assert model.phi is not None
    psi, phi = linear(model.psi), linear(model.phi)
    slow_training(backbone, psi, phi, data, etf=etf, settings=settings, round_number=ROUND, client=CLIENT)
    return LocalModel(backbone=shared_state(backbone), psi=head(psi), phi=head(phi))


VARIANTS = {
    "default": (MethodSettings(), TrainingSettings(batch_size=4, crop_padding=2, precision="fp32")),
    "no prior, no augmentation": (
        MethodSettings(local_prior=False),
        TrainingSettings(batch_size=4, crop_padding=0, horizontal_flip=False, precision="fp32"),
    ),
    "momentum and decay": (
        MethodSettings(prior_smoothing=2.0),
        TrainingSettings(
            batch_size=4, crop_padding=3, horizontal_flip=False, momentum=0.9, weight_decay=0.01, precision="fp32"
        ),
    ),
    "one batch": (MethodSettings(), TrainingSettings(batch_size=64, crop_padding=1, local_epochs=1, precision="fp32")),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bias", [False, True])
def test_the_trainer_does_what_three_optimisers_and_three_backward_passes_do(variant: str, bias: bool) -> None:
    method, training = VARIANTS[variant]
    settings = shared_settings(method=method, training=training)
    model, data, etf = local_model(settings, bias=bias), labelled_images(LABELS), frame(settings)
    got = train_locally(model, data, etf=etf, settings=settings, round_number=ROUND, client=CLIENT, device=CPU)
    before, expected = tensors_of(model), tensors_of(reference(model, data, etf, settings))
    found = tensors_of(got)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        # channels-last convolutions add in another order: a few units of fp32 rounding over the steps
        assert torch.allclose(found[name], tensor, rtol=1e-4, atol=1e-6), name
        assert not torch.equal(found[name], before[name]), f"{name} did not train"
