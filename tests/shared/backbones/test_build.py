"""Backbones: any name, any channels, one shape out, and the same weights for the same seed."""

import pytest
import torch

from shared.backbones import build_backbone
from shared.errors import SettingsError
from shared.tensors import load_shared_state, shared_state
from tests.shared.draws import global_random_state_untouched

FAMILIES = [
    ("resnet8", 32, 64),
    ("resnet8", 8, 64),
    ("resnet20", 16, 64),
    ("resnet18", 32, 512),
    ("mobilenet_v3_small", 32, 1024),
    ("squeezenet1_1", 32, 512),
    ("shufflenet_v2_x0_5", 32, 1024),
    ("densenet121", 32, 1024),
    ("googlenet", 32, 1024),
    ("mnasnet0_5", 32, 1280),
]


@pytest.mark.parametrize(("name", "size", "dimension"), FAMILIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_become_pooled_features(name: str, size: int, dimension: int, channels: int) -> None:
    backbone = build_backbone(name, image_size=size, channels=channels, seed=0)
    assert backbone.feature_dim == dimension
    assert backbone.training
    for mode in (True, False):
        features = backbone.train(mode)(torch.zeros(2, channels, size, size))
        assert features.shape == (2, dimension)
        assert features.dtype == torch.float32


@pytest.mark.parametrize("name", ["resnet8", "resnet20", "resnet18"])
def test_features_of_residual_networks_are_non_negative_and_alive(name: str) -> None:
    features = build_backbone(name, image_size=16, channels=3, seed=0)(torch.randn(4, 3, 16, 16)).detach()
    assert float(features.min()) >= 0
    assert float(features.std()) > 0


def test_resnet8_and_20_have_the_layers_of_their_names() -> None:
    for name, depth in (("resnet8", 8), ("resnet20", 20)):
        backbone = build_backbone(name, image_size=32, channels=3, seed=0)
        layers = [m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
        assert len(layers) + 1 == depth  # the classifier, which is not here, is the last


def test_no_classifier_is_left_to_be_averaged_and_sent() -> None:
    for name in ("resnet18", "mobilenet_v3_small", "squeezenet1_1"):
        backbone = build_backbone(name, image_size=32, channels=3, seed=0)
        assert not [key for key, tensor in shared_state(backbone).items() if 1000 in tensor.shape]


def test_small_images_get_the_small_stem_and_a_suffix_forces_either() -> None:
    def stem(name: str, size: int) -> tuple[tuple[int, ...], bool]:
        backbone = build_backbone(name, image_size=size, channels=3, seed=0)
        first = next(m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d))
        return first.kernel_size, any(isinstance(m, torch.nn.MaxPool2d) for m in backbone.modules())

    assert stem("resnet18", 64) == ((3, 3), False)
    assert stem("resnet18", 65) == ((7, 7), True)
    assert stem("resnet18-stem3", 65) == ((3, 3), False)
    assert stem("resnet18-stem7", 64) == ((7, 7), True)


def test_the_seed_decides_every_weight_and_the_global_state_none() -> None:
    def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
        with global_random_state_untouched():
            return shared_state(build_backbone(name, image_size=16, channels=3, seed=seed))

    for name in ("resnet8", "mobilenet_v3_small"):
        first, other = weights(name, 1), weights(name, 2)
        torch.manual_seed(99)
        again = weights(name, 1)
        assert all(torch.equal(first[key], again[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)


def test_building_leaves_no_trace_in_the_weights_of_a_loaded_model() -> None:
    first = build_backbone("resnet8", image_size=16, channels=1, seed=1)
    second = build_backbone("resnet8", image_size=16, channels=1, seed=2)
    load_shared_state(second, shared_state(first))
    images = torch.randn(3, 1, 16, 16)
    assert torch.equal(first.eval()(images), second.eval()(images))


@pytest.mark.parametrize("name", ["resnet9", "mobilenet_v3_smal", "squeezenet1_1-stem3"])
def test_an_unknown_name_is_answered_with_close_ones(name: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        build_backbone(name, image_size=32, channels=3, seed=0)
    assert "did you mean" in caught.value.remedy


def test_a_name_like_no_other_is_answered_with_what_there_is() -> None:
    with pytest.raises(SettingsError) as caught:
        build_backbone("zzz", image_size=32, channels=3, seed=0)
    assert "resnet8" in caught.value.remedy


@pytest.mark.parametrize(("name", "size"), [("alexnet", 32), ("maxvit_t", 32)])
def test_images_too_small_for_an_architecture_are_refused(name: str, size: int) -> None:
    with pytest.raises(SettingsError, match=f"{size}x{size}") as caught:
        build_backbone(name, image_size=size, channels=3, seed=0)
    assert "image_size" in caught.value.remedy
