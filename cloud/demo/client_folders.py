"""Client data written as folders of PNG files: agents in the demo read ``folder:DIR`` as they do on a device."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from shared.data.pixels import to_pil
from shared.errors import ArtifactError, DataError
from shared.images import LabelledImages
from shared.shards import ClientData

EVALUATION = "evaluation"
"""Folder of the coordinator's own test images, beside the clients'."""

_NAME = re.compile(r"\d{6}\.png")


def write_client_folders(client_data: Iterable[ClientData], root: Path) -> dict[str, Path]:
    """Write each client's images below ``root/<client>/{train,test}/<class>/NNNNNN.png``.

    What ``folder:DIR`` reads back equals the images pixel for pixel, in label order. Files that already hold the right
    bytes are left as they are, so an interrupted call is finished by the next one; a numbered PNG of an earlier call
    that is no longer wanted is deleted. A client without test images has no ``test`` folder.

    Args:
        client_data: The clients, ids and class names usable as folder names.
        root: Folder to write below; made where it is missing.

    Returns:
        Each client's folder, for ``folder:DIR``.

    Raises:
        ArtifactError: A file cannot be written.
        DataError: A name cannot name a folder, or a folder holds files that this function did not write.
    """
    folders = {}
    for data in client_data:
        if data.client == EVALUATION:
            raise DataError(f"no client can be called {EVALUATION!r}: the coordinator's images are kept there")
        folder = root / _as_folder(data.client)
        _write(data.train, folder / "train")
        _write(data.test, folder / "test")
        folders[data.client] = folder
    return folders


def write_evaluation_folder(evaluation: LabelledImages, root: Path) -> Path:
    """Write the coordinator's test images below ``root/evaluation/<class>/NNNNNN.png``.

    There is but one split, so ``folder:DIR`` reads it as ``train``; ``Splits.evaluation`` returns it.

    Returns:
        The folder.

    Raises:
        ArtifactError: A file cannot be written.
        DataError: A class name cannot name a folder, or the folder holds files that this function did not write.
    """
    _write(evaluation, root / EVALUATION)
    return root / EVALUATION


def _write(data: LabelledImages, folder: Path) -> None:
    paths = _paths(data, folder)
    try:
        _remove_stale(folder, keep=set(paths))
        for parent in {path.parent for path in paths}:
            parent.mkdir(parents=True, exist_ok=True)
        for path, image in zip(paths, data.images, strict=True):
            payload = _png(image)
            if not path.exists() or path.read_bytes() != payload:
                path.write_bytes(payload)
    except OSError as cause:
        raise ArtifactError(
            f"{folder} cannot be written: {cause}", remedy="free space or choose another folder"
        ) from cause


def _paths(data: LabelledImages, folder: Path) -> list[Path]:
    """Number the images of each class in order."""
    numbers = [0] * len(data.class_names)
    paths = []
    for label in data.labels.tolist():
        paths.append(folder / _as_folder(data.class_names[label]) / f"{numbers[label]:06d}.png")
        numbers[label] += 1
    return paths


def _remove_stale(folder: Path, keep: set[Path]) -> None:
    """Delete numbered PNGs of an earlier call; refuse a folder that holds anything else, rather than delete that."""
    found = {path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")} - keep
    foreign = sorted(path for path in found if not _NAME.fullmatch(path.name))
    if foreign:
        raise DataError(f"{foreign[0]} was not written by this program", remedy="choose another folder to write to")
    for path in found:
        path.unlink()


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    to_pil(image).save(buffer, format="PNG", compress_level=1)  # level 6: 5 times as long at 224 px, 19 % smaller
    return buffer.getvalue()


def _as_folder(name: str) -> str:
    if not name or name.startswith(".") or any(sign in name for sign in "/\\\0"):
        raise DataError(
            f"{name!r} cannot name a folder", remedy="use a name without / and \\ that does not begin with a dot"
        )
    return name
