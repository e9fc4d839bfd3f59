"""What a graph does to pixels is what training, evaluation and prediction do to them."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from export.graph import finished
from export.options import GraphOptions
from export.preprocessing import NORMALISED, image_input, preprocessing
from export.runtime import open_session
from export.views import feed, in_order_of_views, views
from shared.data.pixels import fit_all
from shared.images import normalise
from shared.settings import ModelSettings

MEANS = (0.49, 0.48, 0.45)
STDS = (0.25, 0.24, 0.26)


def run(model: ModelSettings, options: GraphOptions, images: torch.Tensor) -> torch.Tensor:
    shape = ["batch", model.channels, model.image_size, model.image_size]
    payload = finished(
        preprocessing(model, options),
        inputs=[image_input(model, options)],
        outputs=[onnx.helper.make_tensor_value_info(NORMALISED, TensorProto.FLOAT, shape)],
        metadata={},
    )
    session = open_session(payload, device="cpu")
    return torch.from_numpy(session.run(None, {"images": feed(images, model, options)})[0])


def noise(channels: int, height: int, width: int, count: int = 3) -> torch.Tensor:
    draw = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randint(0, 256, (count, channels, height, width), generator=draw, dtype=torch.uint8)


def levels(normalised: torch.Tensor) -> torch.Tensor:
    """Undo the sample's normalisation of grey images."""
    return (normalised * 0.25 + 0.5) * 255.0


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (37, 50), (5, 7), (100, 200), (240, 320), (33, 33)])
def test_raw_pixels_of_any_size_are_resized_as_pil_does_it_to_the_bit(size: int, height: int, width: int) -> None:
    model = ModelSettings(image_size=size, channels=3, mean=MEANS, std=STDS)
    images = noise(3, height, width)
    found = run(model, GraphOptions(input="uint8-nhwc"), images)
    expected = normalise(fit_all(images, size, 3), MEANS, STDS)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("height", "width"), [(50, 37), (33, 31), (200, 100), (320, 240)])
def test_tall_images_differ_by_one_level_at_most(height: int, width: int) -> None:
    """Pillow 13 passes over columns first for some of them; rounding in between then differs."""
    model = ModelSettings(image_size=32, channels=1)
    images = noise(1, height, width)
    off = levels(run(model, GraphOptions(input="uint8-nhwc"), images)) - fit_all(images, 32, 1)
    assert float(off.abs().max()) < 1.01


def test_a_resize_that_aliases_would_be_noticed() -> None:
    """Nearest neighbours, or bilinear without a wider support, are tens of levels away on noise."""
    images = noise(1, 96, 96)
    ours = fit_all(images, 32, 1).float()
    aliased = torch.nn.functional.interpolate(images.float(), size=(32, 32), mode="bilinear", align_corners=False)
    assert float((ours - aliased).abs().mean()) > 20


@pytest.mark.parametrize("name", ["unit-nchw", "normalised-nchw"])
def test_float_pixels_are_normalised_once(name: str) -> None:
    model = ModelSettings(image_size=8, channels=3, mean=MEANS, std=STDS)
    images = noise(3, 8, 8)
    found = run(model, GraphOptions(input=name), images)  # type: ignore[arg-type]
    assert torch.equal(found, normalise(images, MEANS, STDS))


def test_both_sides_of_a_comparison_see_the_same_images_in_the_same_order() -> None:
    model, options = ModelSettings(image_size=8, channels=1), GraphOptions(input="uint8-nhwc")
    images = noise(1, 8, 8, count=5)
    first, larger = views(images, model, options)
    assert torch.equal(first, images[[0, 2, 4]])
    assert larger.shape == (2, 1, 15, 23)
    assert in_order_of_views(torch.arange(5), options).tolist() == [0, 2, 4, 1, 3]
    (same,) = views(images, model, GraphOptions())
    assert same is images
    assert feed(first, model, options).dtype == np.uint8
