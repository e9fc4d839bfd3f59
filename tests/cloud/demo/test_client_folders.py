"""Client data written as folders, and read back as agents read it."""

import errno
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cloud.demo.client_folders import write_client_folders, write_evaluation_folder
from shared.data import read
from shared.errors import ArtifactError, DataError
from shared.images import LabelledImages
from shared.shards import ClientData

NAMES = ("train", "T-shirt or top", "cat")  # the first is a class of CIFAR-100, and looks like a split


def images(count: int, *, channels: int = 3, seed: int = 0, labels: list[int] | None = None) -> LabelledImages:
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, channels, 8, 8), generator=random, dtype=torch.uint8)
    drawn = torch.randint(0, len(NAMES), (count,), generator=random) if labels is None else torch.tensor(labels)
    return LabelledImages(images=pixels, labels=drawn, class_names=NAMES)


def client(name: str = "agent-1", *, train: int = 20, test: int = 9, channels: int = 3, seed: int = 0) -> ClientData:
    held_out = images(test, channels=channels, seed=seed + 1)
    return ClientData(client=name, train=images(train, channels=channels, seed=seed), test=held_out)


def by_class(data: LabelledImages) -> tuple[Tensor, Tensor]:
    order = data.labels.argsort(stable=True)
    return data.images[order], data.labels[order]


def same(got: LabelledImages, wanted: LabelledImages) -> bool:
    """Equal pixel for pixel, in label order."""
    return all(a.equal(b) for a, b in zip(by_class(got), by_class(wanted), strict=True))


def snapshot(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_read_back_equals_what_was_dealt_pixel_for_pixel(tmp_path: Path, channels: int) -> None:
    data = [client(channels=channels), client("agent-2", channels=channels, seed=5)]
    folders = write_client_folders(data, tmp_path)
    for one in data:
        splits = read(f"folder:{folders[one.client]}", class_names=NAMES)
        assert splits.channels == channels
        assert same(splits.train, one.train)
        assert same(splits.test, one.test)


def test_evaluation_images_are_read_back_as_the_only_split(tmp_path: Path) -> None:
    evaluation = images(12, labels=[0, 1, 2] * 4)
    folder = write_evaluation_folder(evaluation, tmp_path)
    assert same(read(f"folder:{folder}", class_names=NAMES).evaluation, evaluation)


def test_a_client_without_test_images_has_no_test_split(tmp_path: Path) -> None:
    data = client(test=0)
    folder = write_client_folders([data], tmp_path)["agent-1"]
    assert not (folder / "test").exists()
    assert read(f"folder:{folder}", class_names=NAMES).test is None


def test_names_and_bytes_are_the_same_every_time(tmp_path: Path) -> None:
    for root in ("a", "b"):
        write_client_folders([client()], tmp_path / root)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    cats = sorted(path.name for path in (tmp_path / "a" / "agent-1" / "train" / "cat").iterdir())
    assert cats == [f"{number:06d}.png" for number in range(len(cats))]


def test_a_complete_folder_is_left_as_it_is(tmp_path: Path) -> None:
    write_client_folders([client()], tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    write_client_folders([client()], tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_damaged_or_unfinished_folder_is_mended(tmp_path: Path) -> None:
    write_client_folders([client()], tmp_path)
    wanted = snapshot(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*.png"))
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:10])
    write_client_folders([client()], tmp_path)
    assert snapshot(tmp_path) == wanted


def test_images_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    write_client_folders([client(train=40, test=20)], tmp_path)
    data = client(train=5, test=0, seed=3)
    folder = write_client_folders([data], tmp_path)["agent-1"]
    splits = read(f"folder:{folder}", class_names=NAMES)
    assert same(splits.train, data.train)
    assert splits.test is None


def test_a_folder_that_holds_other_files_is_refused_and_nothing_is_deleted(tmp_path: Path) -> None:
    write_client_folders([client(train=40)], tmp_path)
    (tmp_path / "agent-1" / "train" / "cat" / "holiday.jpg").write_bytes(b"dear to someone")
    before = snapshot(tmp_path)
    with pytest.raises(DataError, match=r"holiday\.jpg was not written by this program"):
        write_client_folders([client(train=3)], tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "evaluation"])
def test_a_name_that_cannot_name_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        write_client_folders([client(name)], tmp_path)
    assert snapshot(tmp_path) == {}


def test_a_full_disk_is_an_artifact_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ArtifactError, match="No space left on device"):
        write_client_folders([client()], tmp_path)


def test_a_file_in_the_way_is_an_artifact_error(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_client_folders([client()], tmp_path / "root")
