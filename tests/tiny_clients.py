"""Three clients whose images take milliseconds to train on, among them the awkward ones a federation must carry."""

import torch

from shared.images import LabelledImages
from shared.shards import ClientData

CLASS_NAMES = tuple(f"class-{label}" for label in range(10))

IMAGE_SIZE = 8

CONSTANT = 0xA7
"""Every byte of ana's first image of class 3: a canary that is easy to find wherever it goes."""

ANA_COUNTS = (7, 2, 5, 3, 1, 4, 2, 3, 1, 2)
"""Ana's training images per class: a histogram no tensor holds by chance."""


def tiny_clients() -> tuple[ClientData, ...]:
    """Ana has all classes, ben five images of one class (fewer than a batch), cid one image and none held out."""
    return (
        client_data("ana", ANA_COUNTS, held_out=(1,) * 10),
        client_data("ben", (0, 0, 0, 0, 5, 0, 0, 0, 0, 0), held_out=(0, 0, 0, 0, 2, 0, 0, 0, 0, 0)),
        client_data("cid", (0, 0, 0, 0, 0, 0, 0, 0, 1, 0), held_out=(0,) * 10),
    )


def client_data(client: str, train: tuple[int, ...], *, held_out: tuple[int, ...]) -> ClientData:
    """Deal images to one client, the same at every call."""
    draws = torch.Generator().manual_seed(sum(client.encode()))
    return ClientData(client=client, train=_images(train, draws), test=_images(held_out, draws))


def _images(counts: tuple[int, ...], draws: torch.Generator) -> LabelledImages:
    """Draw noise around one pattern per class."""
    patterns = torch.randint(40, 216, (len(counts), 1, IMAGE_SIZE, IMAGE_SIZE), generator=_patterns())
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    noise = torch.randint(-40, 40, (len(labels), 1, IMAGE_SIZE, IMAGE_SIZE), generator=draws)
    images = (patterns[labels] + noise).to(torch.uint8)
    planted = (labels == 3).nonzero().flatten()[:1]
    images[planted] = CONSTANT
    return LabelledImages(images=images, labels=labels, class_names=CLASS_NAMES)


def _patterns() -> torch.Generator:
    return torch.Generator().manual_seed(1)
