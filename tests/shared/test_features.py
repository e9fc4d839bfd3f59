"""Features are those of the backbone in evaluation mode, however the images are batched."""

import torch

from shared.backbones import build_backbone
from shared.features import extract_features
from shared.images import normalise
from shared.settings import ModelSettings

MODEL = ModelSettings(image_size=8)
CPU = torch.device("cpu")
IMAGES = torch.randint(0, 256, (11, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_features_are_the_backbones_on_normalised_images() -> None:
    backbone = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    features = extract_features(backbone, IMAGES, MODEL, device=CPU)
    with torch.no_grad():
        expected = backbone.eval()(normalise(IMAGES, MODEL.mean, MODEL.std))
    assert features.dtype == torch.float32
    assert torch.allclose(features, expected, atol=1e-6)


def test_the_batch_size_does_not_matter_and_no_statistics_are_touched() -> None:
    backbone = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    whole = extract_features(backbone, IMAGES, MODEL, device=CPU)
    for size in (1, 4, 11):
        assert torch.allclose(extract_features(backbone, IMAGES, MODEL, device=CPU, batch_size=size), whole, atol=1e-6)
    assert all(torch.equal(before[name], tensor) for name, tensor in backbone.state_dict().items())


def test_a_head_can_be_trained_on_them() -> None:
    features = extract_features(build_backbone("resnet8", image_size=8, channels=3, seed=0), IMAGES, MODEL, device=CPU)
    weight = torch.zeros(2, 64, requires_grad=True)
    (features @ weight.T).sum().backward()
    assert weight.grad is not None


def test_no_images_give_no_rows_of_the_right_width() -> None:
    backbone = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    assert extract_features(backbone, IMAGES[:0], MODEL, device=CPU).shape == (0, 64)


def test_bf16_features_are_near_those_of_fp32_and_still_float32() -> None:
    backbone = build_backbone("resnet8", image_size=8, channels=3, seed=0)
    exact = extract_features(backbone, IMAGES, MODEL, device=CPU)
    near = extract_features(backbone, IMAGES, MODEL, device=CPU, bf16=True)
    assert near.dtype == torch.float32
    assert not torch.equal(near, exact)
    assert torch.allclose(near, exact, atol=0.05 * float(exact.abs().max()))  # 8 significant bits, a few layers
