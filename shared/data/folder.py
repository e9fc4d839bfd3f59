"""``folder:DIR``: one sub-folder per class, its name the class's name."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from shared.data.pixels import EXTENSIONS, measure, read_image
from shared.data.splits import Splits, default_size, relabel
from shared.errors import DataError
from shared.images import LabelledImages

_FOREIGN = frozenset({".avif", ".gif", ".heic", ".jp2", ".tif", ".tiff"})
"""Images that are not read; passing over them in silence would lose a part of the data, or a whole class."""

_SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
"""Names, in any case, of folders that hold a split: taken for classes, they would give every image a wrong label."""

_LAYOUT = "DIR/<class>/*.png, or DIR/train/<class>/*.png and DIR/test/<class>/*.png (also .jpg, .jpeg, .bmp, .webp)"


@dataclass(frozen=True, slots=True)
class _Listing:
    """Image files of one split, sorted by class and name, each with its class's name."""

    files: tuple[Path, ...]
    classes: tuple[str, ...]


def read_folder(
    directory: Path, *, image_size: int | None, channels: int | None, class_names: tuple[str, ...] | None
) -> Splits:
    """Read a folder of class sub-folders.

    ``DIR/train`` (and ``DIR/test``, where there is one with images) are the splits when ``train`` holds sub-folders and
    no image itself; other folders with images beside them are refused, since they would be lost in silence. Otherwise
    all of DIR is the train split, and ``train`` may be a class like any other. Splits by other names, such as ``Train``
    or ``val``, are refused. Classes are
    the sub-folders that hold images, at any depth, sorted by name. Hidden files, and files that are no images by their
    name, are passed over.

    Args:
        directory: DIR, an existing folder.
        image_size: Pixels; None keeps one common square size of at most 64 and takes 224 otherwise.
        channels: 1 or 3; None is 1 when every file is stored as grey, else 3.
        class_names: The federation's classes; None takes the folder's own.

    Raises:
        DataError: The folder is empty or laid out otherwise, an image cannot be read, or a class is unknown.
        OSError: A folder cannot be listed.
    """
    train, test = _list(directory)
    own = tuple(sorted({*train.classes, *test.classes}))
    names = own if class_names is None else class_names
    if image_size is None or channels is None:
        measured = [measure(path) for path in (*train.files, *test.files)]
        image_size = default_size({size for size, _ in measured}) if image_size is None else image_size
        channels = (1 if all(grey for _, grey in measured) else 3) if channels is None else channels

    def load(listing: _Listing) -> LabelledImages:
        position = {name: index for index, name in enumerate(own)}
        labels = torch.tensor([position[name] for name in listing.classes], dtype=torch.int64)
        labels = relabel(labels, own, names, f"folder:{directory}")  # before the slow part
        images = torch.empty((len(labels), channels, image_size, image_size), dtype=torch.uint8)
        for index, path in enumerate(listing.files):
            images[index] = read_image(path, image_size=image_size, channels=channels)
        return LabelledImages(images=images, labels=labels, class_names=names)

    return Splits(
        train=load(train),
        test=load(test) if test.files else None,
        class_names=names,
        image_size=image_size,
        channels=channels,
    )


def check_folder(directory: Path) -> None:
    """Refuse a folder that ``read_folder`` would refuse for its layout; no image is opened.

    Raises:
        DataError: The folder is empty or laid out otherwise.
        OSError: A folder cannot be listed.
    """
    _list(directory)


def _list(directory: Path) -> tuple[_Listing, _Listing]:
    """Return the files of the train split, at least one, and of the test split."""
    splits = _holds_splits(directory)
    _refuse_other_splits(directory, splits=splits)
    where = directory / "train" if splits else directory
    train, test = _listing(where), _listing(directory / "test") if splits else _Listing((), ())
    if not train.files:
        raise DataError(f"{where} holds no images in class sub-folders: {_found(where)}", remedy=f"expected {_LAYOUT}")
    return train, test


def _holds_splits(directory: Path) -> bool:
    return _holds_folders_only(directory / "train")


def _holds_folders_only(directory: Path) -> bool:
    """Tell whether there are sub-folders in a folder, and no images beside them."""
    if not directory.is_dir():
        return False
    entries = [entry for entry in directory.iterdir() if not entry.name.startswith(".")]
    return any(entry.is_dir() for entry in entries) and not any(_is_image(entry) for entry in entries)


def _refuse_other_splits(directory: Path, *, splits: bool) -> None:
    """Refuse folders whose images would be lost or would become a class of their own by mistake."""
    folders = sorted(entry for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if splits:
        others = [folder for folder in folders if folder.name not in {"train", "test"} and _images(folder)]
        if others:
            raise DataError(
                f"{directory} holds images in {others[0].name}/ beside train/, expected train/ and test/ only",
                remedy="rename it to test, or move it away; a class named train may have no sub-folders",
            )
        return
    named = [folder for folder in folders if folder.name.casefold() in _SPLIT_NAMES]
    if named and named == folders and all(map(_holds_folders_only, named)) and any(map(_images, named)):
        raise DataError(
            f"{directory} holds splits named {', '.join(folder.name for folder in named)}, expected train and test",
            remedy="rename them",
        )


def _listing(directory: Path) -> _Listing:
    if not directory.is_dir():
        return _Listing((), ())
    files: list[Path] = []
    classes: list[str] = []
    for folder in sorted(directory.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            found = _images(folder)
            files += found
            classes += [folder.name] * len(found)
    return _Listing(tuple(files), tuple(classes))


def _images(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in _FOREIGN:
                raise DataError(f"{path} is of a format that is not read", remedy="convert it to PNG, or move it away")
            if _is_image(path):
                found.append(path)
    return found


def _refuse(cause: OSError) -> None:
    raise cause  # os.walk would pass over a folder it may not read


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS


def _found(directory: Path) -> str:
    """Describe a folder without images in one short phrase."""
    entries = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
    if not entries:
        return "it is empty"
    folders = [entry.name for entry in entries if entry.is_dir()]
    loose = sum(_is_image(entry) for entry in entries)
    shown = ", ".join(folders[:3]) + (", …" if len(folders) > 3 else "")
    return f"found {len(folders)} sub-folders{f' ({shown})' if shown else ''} and {loose} images beside them"
