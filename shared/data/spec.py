"""Read the images a data SPEC names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.data.cifar import read_cifar10, read_cifar100
from shared.data.digits import read_digits
from shared.data.folder import check_folder, read_folder
from shared.data.idx import read_fashion_mnist
from shared.data.splits import Splits, conform
from shared.errors import DataError

KNOWN = "digits, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR, folder:DIR"
"""Every SPEC, for help texts and messages."""

_DATA_SETS: dict[str, Callable[[Path], Splits]] = {
    "fashion-mnist": read_fashion_mnist,
    "cifar10": read_cifar10,
    "cifar100": read_cifar100,
}


def read(
    spec: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Splits:
    """Read the images a SPEC names; nothing is ever downloaded.

    Args:
        spec: One of ``KNOWN``; DIR may begin with ``~``.
        image_size: Height and width in pixels to resize to (bilinear, antialiased); None keeps one common square size
            of at most 64 pixels and takes 224 otherwise.
        channels: 1 for grey, 3 for colour; None is 1 when all images are grey, else 3.
        class_names: The federation's classes, whose order the labels follow; a class may be without images. None takes
            the source's own order.

    Raises:
        DataError: The SPEC is unknown, its folder is missing, empty or laid out otherwise, an image cannot be read, or
            a class is not the federation's.
    """
    kind, directory = _parse(spec)
    if directory is None:
        return conform(read_digits(), image_size=image_size, channels=channels, class_names=class_names, source=spec)
    with _readable(directory):
        if kind == "folder":
            return read_folder(directory, image_size=image_size, channels=channels, class_names=class_names)
        splits = _DATA_SETS[kind](directory)
    return conform(splits, image_size=image_size, channels=channels, class_names=class_names, source=spec)


def check_source(spec: str) -> None:
    """Refuse early, and without opening an image, a SPEC that ``read`` would refuse: unknown, missing or empty.

    Raises:
        DataError: As in ``read``, as far as it shows without opening an image.
    """
    kind, directory = _parse(spec)
    if directory is not None:
        with _readable(directory):
            if kind == "folder":
                check_folder(directory)


def _parse(spec: str) -> tuple[str, Path | None]:
    """Return the SPEC's kind and its folder; ``digits`` has none."""
    kind, _, where = spec.partition(":")
    if kind == "digits" and not where:
        return kind, None
    if kind != "folder" and kind not in _DATA_SETS:
        raise DataError(f"data {spec!r} is unknown", remedy=f"use one of: {KNOWN}")
    if not where:
        raise DataError(f"data {spec!r} names no folder", remedy=f"write {kind}:DIR")
    return kind, Path(where).expanduser()


@contextmanager
def _readable(directory: Path) -> Iterator[None]:
    """Refuse what is no folder, and name the folder where the system does not let us read."""
    try:
        if not directory.is_dir():
            raise DataError(f"{directory} is no folder", remedy="check the path of the data; nothing is downloaded")
        yield
    except OSError as cause:
        raise DataError(f"{directory} cannot be read: {cause}", remedy="check the folder's permissions") from cause
