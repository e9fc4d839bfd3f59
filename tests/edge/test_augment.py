"""Augmentation: every result is a crop of the reflected image, mirrored or not, and the draws are its generator's."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edge.augment import augment
from shared.errors import SettingsError
from tests.shared.draws import global_random_state_untouched

IMAGES = torch.randint(0, 256, (40, 3, 6, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def augmented(images: Tensor, *, padding: int, flip: bool, seed: int = 0) -> Tensor:
    return augment(images, padding=padding, flip=flip, generator=torch.Generator().manual_seed(seed))


def crops(image: Tensor, padding: int, *, flip: bool) -> dict[bytes, tuple[int, int, bool]]:
    """Every crop of the image padded by reflection, by its bytes."""
    padded = functional.pad(image.float().unsqueeze(0), (padding,) * 4, mode="reflect")[0].to(torch.uint8)
    found = {}
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            crop = padded[:, top : top + 6, left : left + 7]
            found[crop.contiguous().numpy().tobytes()] = (top, left, False)
            if flip:
                found[crop.flip(2).contiguous().numpy().tobytes()] = (top, left, True)
    return found


@pytest.mark.parametrize("padding", [0, 1, 5])
def test_every_result_is_a_mirrored_crop_of_the_reflected_image(padding: int) -> None:
    got = augmented(IMAGES, padding=padding, flip=True)
    assert got.shape == IMAGES.shape
    assert got.dtype == IMAGES.dtype
    for image, result in zip(IMAGES, got, strict=True):
        assert result.contiguous().numpy().tobytes() in crops(image, padding, flip=True)


def test_all_offsets_and_both_sides_come_up() -> None:
    image = IMAGES[:1].expand(600, -1, -1, -1)
    known = crops(IMAGES[0], 1, flip=True)
    seen = [known[result.contiguous().numpy().tobytes()] for result in augmented(image, padding=1, flip=True)]
    assert set(seen) == set(known.values())
    mirrored = sum(1 for _, _, flipped in seen if flipped) / 600
    assert 0.4 < mirrored < 0.6


def test_without_flip_nothing_is_mirrored() -> None:
    got = augmented(IMAGES, padding=2, flip=False)
    for image, result in zip(IMAGES, got, strict=True):
        assert result.contiguous().numpy().tobytes() in crops(image, 2, flip=False)


def test_no_padding_and_no_flip_is_the_identity_and_draws_nothing() -> None:
    draws = torch.Generator().manual_seed(0)
    before = draws.get_state()
    assert augment(IMAGES, padding=0, flip=False, generator=draws) is IMAGES
    assert torch.equal(draws.get_state(), before)


def test_images_move_apart_and_types_are_kept() -> None:
    same = IMAGES[:1].expand(40, -1, -1, -1)
    assert len({result.contiguous().numpy().tobytes() for result in augmented(same, padding=2, flip=True)}) > 10
    floats = augmented(IMAGES.float(), padding=2, flip=True)
    assert torch.equal(floats, augmented(IMAGES, padding=2, flip=True).float())


def test_the_generator_decides_and_the_global_state_does_not() -> None:
    with global_random_state_untouched():
        first = augmented(IMAGES, padding=2, flip=True, seed=1)
    assert torch.equal(first, augmented(IMAGES, padding=2, flip=True, seed=1))
    assert not torch.equal(first, augmented(IMAGES, padding=2, flip=True, seed=2))


def test_a_reflection_further_than_the_image_is_refused() -> None:
    with pytest.raises(SettingsError, match="crop_padding is 6"):
        augmented(IMAGES, padding=6, flip=False)
