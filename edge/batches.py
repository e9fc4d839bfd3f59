"""A client's images as augmented, normalised batches, the same for everything that trains on this device."""

from collections.abc import Iterator

import torch
from torch import Tensor

from edge.augment import augment
from shared.images import LabelledImages, normalise
from shared.seeds import generator
from shared.settings import SharedSettings


def split_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut an epoch's order into batches; a single image left over joins the batch before it.

    Deviation: the authors keep a last batch of one image, on which BatchNorm has no variance where maps are 1x1.

    Args:
        order: (N,), int64.
        batch_size: At least 2.
    """
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def epochs_of_batches(
    data: LabelledImages,
    *,
    settings: SharedSettings,
    epochs: int,
    purpose: tuple[str | int, ...],
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of all epochs, each epoch in an order of its own.

    The images move to the device once, in bytes; order and augmentation are drawn on the CPU and follow without waiting
    for the device.

    Args:
        data: At least one image.
        settings: Say the batch size, the augmentation and the normalisation.
        epochs: Passes over the images.
        purpose: Seeds the draws, together with the federation's seed.
        device: Where the batches are wanted.

    Yields:
        Images (B, channels, height, width), float32, normalised, channels last; labels (B,), int64.
    """
    model, training = settings.model, settings.training
    order_draws = generator(settings.seed, "order", *purpose)
    augment_draws = generator(settings.seed, "augment", *purpose)
    images = data.images.to(device, non_blocking=True)
    labels = data.labels.to(device, non_blocking=True)
    for _ in range(epochs):
        order = torch.randperm(len(data), generator=order_draws)
        for batch in split_batches(order, training.batch_size):
            chosen = batch.to(device, non_blocking=True)
            varied = augment(
                images[chosen],
                padding=training.crop_padding,
                flip=training.horizontal_flip,
                generator=augment_draws,
            )
            ready = normalise(varied, model.mean, model.std)
            yield ready.contiguous(memory_format=torch.channels_last), labels[chosen]
