"""Batches: every image once an epoch, and never a last batch of one."""

import pytest
import torch

from edge.batches import epochs_of_batches, split_batches
from shared.settings import TrainingSettings
from tests.edge.samples import CPU, labelled_images, shared_settings
from tests.shared.draws import global_random_state_untouched


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (3, [3]), (4, [4]), (5, [5]), (6, [4, 2]), (9, [4, 5]), (12, [4, 4, 4])]
)
def test_a_single_image_left_over_joins_the_batch_before_it(count: int, sizes: list[int]) -> None:
    order = torch.arange(count)
    batches = split_batches(order, 4)
    assert [len(batch) for batch in batches] == sizes
    assert torch.equal(torch.cat(batches), order)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    training = TrainingSettings(batch_size=4, crop_padding=0, horizontal_flip=False)
    settings = shared_settings(training=training)
    data = labelled_images([0, 1, 2, 3] * 3)
    with global_random_state_untouched():
        batches = list(epochs_of_batches(data, settings=settings, epochs=2, purpose=("test",), device=CPU))
    assert len(batches) == 6
    epochs = [torch.cat([images for images, _ in batches[start : start + 3]]) for start in (0, 3)]
    labels = [torch.cat([labels for _, labels in batches[start : start + 3]]) for start in (0, 3)]
    plain = (data.images.float() / 255 - 0.4) / 0.3
    for shown, answers in zip(epochs, labels, strict=True):
        place = [int((plain - image).abs().amax((1, 2, 3)).argmin()) for image in shown]
        assert sorted(place) == list(range(12))
        assert torch.allclose(plain[place], shown, atol=1e-6)
        assert torch.equal(data.labels[place], answers)
    assert not torch.equal(epochs[0], epochs[1])
