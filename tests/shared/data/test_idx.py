"""Fashion-MNIST from its four idx files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.data import read
from shared.errors import DataError


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def fashion(folder: Path, *, compress: bool) -> list[NDArray[np.uint8]]:
    """Write a small Fashion-MNIST; return (train images, train labels, test images, test labels)."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    written = []
    for prefix, size in (("train", 20), ("t10k", 10)):
        images = random.integers(0, 256, (size, 28, 28), dtype=np.uint8)
        labels = (np.arange(size) % 10).astype(np.uint8)
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            path = folder / (name + (".gz" if compress else ""))
            path.write_bytes(gzip.compress(idx(array)) if compress else idx(array))
            written.append(array)
    return written


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_images_and_labels_come_back_as_written(tmp_path: Path, compress: bool, below: str) -> None:
    train_images, train_labels, test_images, test_labels = fashion(tmp_path / below, compress=compress)
    splits = read(f"fashion-mnist:{tmp_path}")
    assert np.array_equal(splits.train.images.numpy(), train_images[:, None])
    assert np.array_equal(splits.train.labels.numpy(), train_labels)
    assert np.array_equal(splits.test.images.numpy(), test_images[:, None])
    assert np.array_equal(splits.test.labels.numpy(), test_labels)
    assert (splits.image_size, splits.channels, len(splits.class_names)) == (28, 1, 10)


def test_every_class_name_can_name_a_folder(tmp_path: Path) -> None:
    fashion(tmp_path, compress=False)
    assert not any("/" in name for name in read(f"fashion-mnist:{tmp_path}").class_names)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    fashion(tmp_path, compress=False)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is missing"):
        read(f"fashion-mnist:{tmp_path}")


def test_a_folder_of_something_else_is_described(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"is missing, also as \.gz: found a/, b/, c/, d/, e/, f/ and 1 more") as error:
        read(f"fashion-mnist:{tmp_path}")
    assert "DIR/FashionMNIST/raw" in error.value.remedy


REAL = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not REAL.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_files_are_read() -> None:
    splits = read(f"fashion-mnist:{REAL}")
    assert splits.train.class_counts().tolist() == [6000] * 10
    assert splits.test.class_counts().tolist() == [1000] * 10
    assert splits.train.labels[:6].tolist() == [9, 0, 0, 3, 0, 2]  # as everybody's first look at the data set shows
    assert float(splits.train.images.float().mean()) / 255 == pytest.approx(0.2860, abs=1e-4)  # the published mean


@pytest.mark.parametrize(
    ("name", "payload", "message"),
    [
        ("train-images-idx3-ubyte", b"", "no idx file .*: it is empty"),
        (
            "train-images-idx3-ubyte",
            idx(np.zeros(20, np.uint8)),
            r"no idx file of unsigned bytes with 3 axes \(00 00 08 03\): it begins with 00 00 08 01",
        ),
        (
            "train-images-idx3-ubyte",
            idx(np.zeros((20, 28, 28), np.uint8))[:-1],
            "declares 15680 values and holds 15679",
        ),
        ("train-images-idx3-ubyte", idx(np.zeros((20, 28, 20), np.uint8)), "expected squares"),
        ("train-images-idx3-ubyte", idx(np.zeros((0, 28, 28), np.uint8)), "expected squares"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03" + b"\xff" * 12, "declares 79228162458924105385300197375 values"),
        ("train-labels-idx1-ubyte", idx(np.zeros(19, np.uint8)), "19 labels for 20 images"),
        ("train-labels-idx1-ubyte", idx(np.full(20, 10, np.uint8)), "holds label 10"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path: Path, name: str, payload: bytes, message: str) -> None:
    fashion(tmp_path, compress=False)
    (tmp_path / name).write_bytes(payload)
    with pytest.raises(DataError, match=message) as error:
        read(f"fashion-mnist:{tmp_path}")
    assert name in error.value.message


@pytest.mark.parametrize(
    "payload", [b"no gzip", gzip.compress(bytes(5000), mtime=0)[:-9], b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff"]
)
def test_a_broken_gzip_file_is_named(tmp_path: Path, payload: bytes) -> None:
    fashion(tmp_path, compress=True)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(payload)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz cannot be read"):
        read(f"fashion-mnist:{tmp_path}")
