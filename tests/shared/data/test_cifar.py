"""CIFAR from its authors' pickles, read without trusting them."""

import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.data import read
from shared.data.batch_pickle import load_batch
from shared.errors import DataError


def python2_string(text: str | bytes) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw


def python2_integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def python2_batch(labels: list[int], data: NDArray[np.uint8], *, labels_key: str = "labels") -> bytes:
    """Pickle a batch as Python 2 did, which is how the authors publish it: bytes and text are one type."""
    rows, columns, minus_one = python2_integer(data.shape[0]), python2_integer(data.shape[1]), python2_integer(-1)
    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + python2_string("b") + b"tR"
    dtype = b"cnumpy\ndtype\n(" + python2_string("u1") + b"K\0K\x01tR"
    dtype += b"(K\x03" + python2_string("|") + b"NNN" + minus_one + minus_one + b"K\0tb"
    array = reconstruct + b"(K\x01(" + rows + columns + b"t" + dtype + b"\x89" + python2_string(data.tobytes()) + b"tb"
    label_list = b"](" + b"".join(map(python2_integer, labels)) + b"e"
    items = (python2_string("batch_label"), python2_string("testing batch 1 of 1"), python2_string(labels_key))
    return b"\x80\x02}(" + b"".join(items) + label_list + python2_string("data") + array + b"u."


def python3_batch(labels: list[int], data: NDArray[np.uint8], *, labels_key: str = "labels") -> bytes:
    return pickle.dumps({"batch_label": "x", labels_key: labels, "data": data}, protocol=2)


WRITERS = pytest.mark.parametrize("batch", [python2_batch, python3_batch])


def cifar10(
    folder: Path, batch: Callable[..., bytes] = python3_batch
) -> dict[str, tuple[list[int], NDArray[np.uint8]]]:
    """Write a small CIFAR-10 and return its (labels, data) per file."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names, "num_vis": 3072}, protocol=2))
    random = np.random.default_rng(0)
    written = {}
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        labels, data = random.integers(0, 10, 4).tolist(), random.integers(0, 256, (4, 3072), dtype=np.uint8)
        (folder / name).write_bytes(batch(labels, data))
        written[name] = (labels, data)
    return written


@WRITERS
@pytest.mark.parametrize("below", ["", "cifar-10-batches-py"])
def test_cifar10_comes_back_as_written(tmp_path: Path, batch: Callable[..., bytes], below: str) -> None:
    written = cifar10(tmp_path / below, batch)
    splits = read(f"cifar10:{tmp_path}")
    test_labels, test_data = written.pop("test_batch")
    assert np.array_equal(splits.test.images.numpy(), test_data.reshape(-1, 3, 32, 32))
    assert splits.test.labels.tolist() == test_labels
    assert np.array_equal(
        splits.train.images.numpy(), np.concatenate([data for _, data in written.values()]).reshape(-1, 3, 32, 32)
    )
    assert splits.train.labels.tolist() == [label for labels, _ in written.values() for label in labels]
    assert (splits.image_size, splits.channels, splits.class_names[3]) == (32, 3, "cat")


@WRITERS
def test_cifar100_is_read_with_its_fine_labels(tmp_path: Path, batch: Callable[..., bytes]) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    names = [f"thing_{number}" for number in range(100)]
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, protocol=2))
    data = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
    for name in ("train", "test"):
        (folder / name).write_bytes(batch([99, 7], data, labels_key="fine_labels"))
    splits = read(f"cifar100:{tmp_path}")
    assert splits.train.labels.tolist() == [99, 7]
    assert splits.class_names == tuple(names)
    assert np.array_equal(splits.test.images.numpy().reshape(2, 3072), data)


def test_an_array_in_fortran_order_is_understood(tmp_path: Path) -> None:
    data = np.asfortranarray(np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072))
    (tmp_path / "b").write_bytes(python3_batch([1, 2], data))
    assert np.array_equal(load_batch(tmp_path / "b")["data"], data)


class Burglar:
    """Its pickle creates a file wherever it is loaded by Python's own unpickler."""

    def __init__(self, loot: Path) -> None:
        self.loot = loot

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.loot),)


def test_a_pickle_that_calls_a_function_is_refused_before_the_call(tmp_path: Path) -> None:
    cifar10(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Burglar(tmp_path / "loot"), protocol=2))
    with pytest.raises(DataError, match=r"data_batch_1 is refused: it asks for .*mkdir"):
        read(f"cifar10:{tmp_path}")
    assert not (tmp_path / "loot").exists()


@pytest.mark.parametrize(
    "name",
    ["builtins\neval", "builtins\ngetattr", "numpy\nload", "os\nsystem", "copyreg\n_reconstructor", "numpy\nmemmap"],
)
def test_no_other_global_is_reachable(tmp_path: Path, name: str) -> None:
    (tmp_path / "b").write_bytes(f"c{name}\n.".encode())
    with pytest.raises(DataError, match="which no CIFAR batch needs"):
        load_batch(tmp_path / "b")


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(pickle.dumps({"data": np.array([[1, "a"]], dtype=object)}, protocol=2))
    with pytest.raises(DataError, match="array of type 'O8'"):
        load_batch(tmp_path / "b")


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            {"labels": [0, 1, 2, 10], "data": np.zeros((4, 3072), np.uint8)},
            "no labels from 0 to 9 under 'labels': found 4 from 0 to 10",
        ),
        ({"labels": [0, 1, 2, -1], "data": np.zeros((4, 3072), np.uint8)}, "no labels from 0 to 9"),
        ({"labels": [], "data": np.zeros((1, 3072), np.uint8)}, "no labels .*: found a list of none"),
        ({"fine_labels": [0], "data": np.zeros((1, 3072), np.uint8)}, "no labels .*: found data, fine_labels"),
        ({"labels": [0, 1, 2], "data": np.zeros((4, 3072), np.uint8)}, "no 3 rows of 3072 bytes"),
        (
            {"labels": [0], "data": np.zeros((1, 3071), np.uint8)},
            r"no 1 rows of 3072 bytes .*: found bytes of shape \(1, 3071\)",
        ),
        ({"labels": [0], "data": [[0] * 3072]}, "no 1 rows of 3072 bytes .*: found a list"),
        ({"labels": [0]}, "no 1 rows of 3072 bytes"),
        ([1, 2], "holds no dictionary"),
        ({1: 2}, "holds no dictionary"),
    ],
)
def test_a_batch_that_holds_something_else_is_named(tmp_path: Path, batch: object, message: str) -> None:
    cifar10(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match=message) as error:
        read(f"cifar10:{tmp_path}")
    assert "data_batch_3" in error.value.message
    assert error.value.remedy


def test_missing_files_are_named(tmp_path: Path) -> None:
    cifar10(tmp_path)
    (tmp_path / "data_batch_2").unlink()
    (tmp_path / "batches.meta").unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_2, batches\.meta"):
        read(f"cifar10:{tmp_path}")


def test_files_that_are_missing_are_named_with_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    (tmp_path / "cifar-10-batches-bin").mkdir()
    with pytest.raises(DataError, match=r"lacks .*: found cifar-10-batches-bin/, cifar-10-python\.tar\.gz") as error:
        read(f"cifar10:{tmp_path}")
    assert "DIR/cifar-10-batches-py/test_batch" in error.value.remedy


def test_a_meta_file_without_the_names_is_refused(tmp_path: Path) -> None:
    cifar10(tmp_path)
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": ["a"] * 10}, protocol=2))
    with pytest.raises(DataError, match="no 10 names"):
        read(f"cifar10:{tmp_path}")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    batch=st.sampled_from([python2_batch, python3_batch]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    size=st.integers(0, 400),
)
def test_damaged_batches_give_a_dictionary_or_a_data_error_and_nothing_else(
    tmp_path: Path, batch: Callable[..., bytes], changes: list[tuple[int, int]], size: int
) -> None:
    payload = bytearray(batch([1, 2], np.zeros((2, 40), np.uint8)))
    for position, value in changes:
        payload[position % len(payload)] = value
    (tmp_path / "b").write_bytes(payload[: len(payload) - max(0, size - 300)])
    try:
        batch_or_message = load_batch(tmp_path / "b")
    except DataError as error:
        batch_or_message = error.message
    assert isinstance(batch_or_message, dict) or batch_or_message.startswith(str(tmp_path / "b"))
