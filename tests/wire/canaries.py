"""What must not leave a device, as bytes to look for: heads, images, labels and histograms in many encodings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edge.personal import load_personal
from edge.publish import BUNDLE
from export.bundle import read_bundle
from shared.blobs import BlobStore
from shared.data import read
from shared.images import LabelledImages, normalise
from shared.settings import SharedSettings

WINDOW = 8
"""Values per needle: 16 bytes and more in any number format, which nothing holds by chance."""

FLOATS = {"fp64": torch.float64, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Needle:
    """Bytes that give something away, and what."""

    what: str
    data: bytes


def head_needles(state: Path, *, public: Iterable[Tensor]) -> list[Needle]:
    """Return every row of an agent's heads, and what its exported model adds to what everybody knows.

    The heads in its folder are of the last round and later. Earlier ones are gone from it when the
    run has ended; that no value of a first round's head is in its update is held by tests/edge/test_first_head.py.

    Args:
        state: The agent's folder.
        public: Tensors the whole federation knows, which a personal model may hold, too.
    """
    store = BlobStore(state / "heads")
    kept = [load_personal(path.name, store).phi for path in store.folder.iterdir()]
    heads = [("head", phi.weight) for phi in kept if phi is not None]
    assert heads, f"no head in {store.folder}"
    if (state / BUNDLE).exists():
        personal = read_bundle(state / BUNDLE).head
        heads += [("personal model's head", personal.weight)]
        heads += [] if personal.bias is None else [("personal model's bias", personal.bias.unsqueeze(0))]
    return [
        Needle(f"{what} in {name}", _bytes(row[:WINDOW].to(dtype)))
        for what, weight in heads
        for row in weight
        if row[:WINDOW].all() and not any(_holds(tensor, row) for tensor in public)
        for name, dtype in FLOATS.items()
    ]


def image_needles(folder: Path, settings: SharedSettings, *, planted: int) -> list[Needle]:
    """Return rows of pixels without their ends, which a random crop may cut, the planted image, and the files.

    Args:
        folder: With the images.
        settings: Say how they are read and normalised.
        planted: Value of every byte of one image.
    """
    images = _read(folder, settings).images
    constant = torch.full_like(images[:1], planted)
    assert any(torch.equal(image, constant[0]) for image in images), "nothing was planted"
    varied = images[[image.unique().numel() > WINDOW for image in images]]
    pixels = varied[:, 0, WINDOW // 2, 1:-1]  # (N, 6)
    wanted = [Needle("constant image, raw", bytes([planted]) * 2 * WINDOW)]
    wanted += [Needle("image, raw", _bytes(row)) for row in pixels]
    for name, dtype in FLOATS.items():
        wanted += [Needle(f"constant image in {name}", _bytes(_normalised(constant, settings)[0].to(dtype)))]
        wanted += [Needle(f"image in {name}", _bytes(row[1:-1].to(dtype))) for row in _normalised(varied, settings)]
    files = sorted((folder / "train").rglob("*.png"))
    return wanted + [Needle("image file", path.read_bytes()[-40:-12]) for path in files]  # before the end mark


def number_needles(folder: Path, settings: SharedSettings) -> list[Needle]:
    """Return the labels in the order in which a device reads them, and how many there are of each."""
    data = _read(folder, settings)
    return [*_encodings("labels", data.labels), *_encodings("histogram", data.class_counts())]


def found(needles_wanted: Iterable[Needle], haystacks: Mapping[str, bytes]) -> list[str]:
    """Return what was found where, sorted."""
    return sorted(
        {
            f"{needle.what} in {where}"
            for needle in needles_wanted
            for where, hay in haystacks.items()
            if needle.data in hay
        }
    )


def _read(folder: Path, settings: SharedSettings) -> LabelledImages:
    model = settings.model
    spec = f"folder:{folder}"
    return read(spec, image_size=model.image_size, channels=model.channels, class_names=settings.class_names).train


def _normalised(images: Tensor, settings: SharedSettings) -> Tensor:
    """Return one row of every image, (N, width), as a backbone is fed."""
    return normalise(images, settings.model.mean, settings.model.std)[:, 0, WINDOW // 2]


def _holds(tensor: Tensor, row: Tensor) -> bool:
    return tensor.shape[-1] == row.shape[-1] and bool((tensor == row).all(-1).any())


def _encodings(what: str, numbers: Tensor) -> list[Needle]:
    kinds = {"int64": torch.int64, "int32": torch.int32, "uint8": torch.uint8, "fp32": torch.float32}
    binary = [Needle(f"{what} in {name}", _bytes(numbers.to(dtype))) for name, dtype in kinds.items()]
    texts = [sign.join(map(str, numbers.tolist())) for sign in (",", ", ", " ")]
    return binary + [Needle(f"{what} as text", text.encode()) for text in texts]


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()
