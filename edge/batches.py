"""A client's images, epoch by epoch and batch by batch: shuffled, normalised, augmented, from seeded draws alone."""

from collections.abc import Iterator

import torch
from torch import Tensor

from edge.augment import augment
from shared.images import LabelledImages, normalise
from shared.seeds import generator
from shared.settings import SharedSettings

Purpose = tuple[str | int, ...]


def batches(
    data: LabelledImages, *, settings: SharedSettings, epochs: int, purpose: Purpose, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) of every step of all epochs.

    BatchNorm cannot normalise one value, so a last batch of one image joins the batch before it, and a client with one
    image in all sees it twice per batch.

    Args:
        data: At least one image.
        settings: Batch size, augmentation and seed.
        epochs: Passes over the images.
        purpose: What the draws are for, such as ("round", 3, "client-00").
        device: Where the batches are made.

    Yields:
        Images (B, channels, size, size), float32, channels last, and labels (B,), int64, on ``device``.
    """
    training, model = settings.training, settings.model
    order_draws = generator(settings.seed, "order", *purpose)
    augment_draws = generator(settings.seed, "augment", *purpose)
    images, labels = data.images.to(device), data.labels.to(device)
    for _ in range(epochs):
        for indices in split(torch.randperm(len(data), generator=order_draws), training.batch_size):
            chosen = indices.to(device)
            batch = augment(
                normalise(images[chosen], model.mean, model.std),
                padding=training.crop_padding,
                flip=training.horizontal_flip,
                generator=augment_draws,
            )
            yield batch.contiguous(memory_format=torch.channels_last), labels[chosen]


def split(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut an order (N,) into batches, none of them of one image."""
    parts = list(order.split(batch_size))
    if len(parts) > 1 and parts[-1].numel() == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return [part.repeat(2) if part.numel() == 1 else part for part in parts]
