"""``folder:DIR`` reads what is there and says what is not."""

from pathlib import Path

import numpy as np
import pytest

from shared.data import read
from shared.errors import DataError
from tests.shared.data.pictures import write


def flowers(root: Path, split: str = "") -> Path:
    for index, name in enumerate(("rose", "aster", "iris")):
        for number in range(index + 1):
            write(root / split / name / f"{number}.png", seed=10 * index + number)
    return root


def test_classes_are_the_sub_folders_in_alphabetical_order(tmp_path: Path) -> None:
    splits = read(f"folder:{flowers(tmp_path)}")
    assert splits.class_names == splits.train.class_names == ("aster", "iris", "rose")
    assert splits.train.class_counts().tolist() == [2, 3, 1]
    assert splits.test is None
    assert splits.evaluation is splits.train
    assert (splits.image_size, splits.channels) == (8, 3)
    assert splits.train.images.shape == (6, 3, 8, 8)


def test_train_and_test_folders_are_the_splits(tmp_path: Path) -> None:
    flowers(tmp_path, "train")
    write(tmp_path / "test" / "tulip" / "a.png")
    splits = read(f"folder:{tmp_path}")
    assert splits.class_names == ("aster", "iris", "rose", "tulip")
    assert splits.train.class_counts().tolist() == [2, 3, 1, 0]
    assert splits.test.class_counts().tolist() == [0, 0, 0, 1]
    assert splits.evaluation is splits.test


@pytest.mark.parametrize("empty_test", [True, False])
def test_a_train_folder_alone_is_read_as_train(tmp_path: Path, empty_test: bool) -> None:
    flowers(tmp_path, "train")
    if empty_test:
        (tmp_path / "test").mkdir()
    splits = read(f"folder:{tmp_path}")
    assert len(splits.train) == 6
    assert splits.test is None


def test_train_may_be_the_name_of_a_class(tmp_path: Path) -> None:
    for name in ("train", "bus", "test"):
        write(tmp_path / name / "a.png")
    splits = read(f"folder:{tmp_path}")
    assert splits.class_names == ("bus", "test", "train")
    assert splits.test is None


def test_labels_follow_the_federations_order_and_a_class_may_be_missing(tmp_path: Path) -> None:
    splits = read(f"folder:{flowers(tmp_path)}", class_names=("rose", "tulip", "iris", "aster"))
    assert splits.class_names == splits.train.class_names == ("rose", "tulip", "iris", "aster")
    assert splits.train.class_counts().tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_the_federation_does_not_know_is_named(tmp_path: Path, split: str) -> None:
    flowers(tmp_path, "train")
    write(tmp_path / split / "weed" / "a.png")
    with pytest.raises(DataError, match="class 'weed', which the federation does not know") as error:
        read(f"folder:{tmp_path}", class_names=("aster", "iris", "rose"))
    assert error.value.remedy


def test_hidden_files_other_files_and_folders_without_images_are_passed_over(tmp_path: Path) -> None:
    flowers(tmp_path)
    for stray in (".DS_Store", "README.txt", "rose/.hidden.png", "rose/labels.csv", ".cache/a.png", "notes/a.txt"):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).write_text("no image")
    splits = read(f"folder:{tmp_path}", class_names=("aster", "iris", "rose"))
    assert len(splits.train) == 6


def test_extensions_are_read_in_any_case_and_images_at_any_depth(tmp_path: Path) -> None:
    write(tmp_path / "rose" / "a.PNG", format="PNG")
    write(tmp_path / "rose" / "b.JpEg", format="JPEG")
    write(tmp_path / "rose" / "2024" / "may" / "c.webp")
    assert len(read(f"folder:{tmp_path}").train) == 3


def test_an_image_format_that_is_not_read_is_not_lost_in_silence(tmp_path: Path) -> None:
    flowers(tmp_path)
    write(tmp_path / "rose" / "scan.TIFF", format="TIFF")
    with pytest.raises(DataError, match=r"scan\.TIFF"):
        read(f"folder:{tmp_path}")


def test_images_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    arrays = {name: write(tmp_path / "rose" / f"{name}.png", seed) for seed, name in enumerate(("b", "c", "a"))}
    images = read(f"folder:{tmp_path}").train.images.numpy()
    assert np.array_equal(images, np.stack([arrays[name].transpose(2, 0, 1) for name in "abc"]))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([(64, 64)], 64), ([(65, 65)], 224), ([(8, 8), (9, 9)], 224), ([(32, 16)], 224), ([(3, 3)], 224)],
)
def test_one_small_square_size_is_kept_and_anything_else_becomes_224(
    tmp_path: Path, sizes: list[tuple[int, int]], expected: int
) -> None:
    for index, size in enumerate(sizes):
        write(tmp_path / "rose" / f"{index}.png", size=size)
    splits = read(f"folder:{tmp_path}")
    assert splits.image_size == expected
    assert splits.train.images.shape[-2:] == (expected, expected)


def test_a_wanted_size_and_depth_win(tmp_path: Path) -> None:
    splits = read(f"folder:{flowers(tmp_path)}", image_size=5, channels=1)
    assert splits.train.images.shape == (6, 1, 5, 5)
    assert (splits.image_size, splits.channels) == (5, 1)


def test_images_are_grey_when_all_are(tmp_path: Path) -> None:
    write(tmp_path / "rose" / "a.png", channels=1)
    write(tmp_path / "iris" / "b.jpg", channels=1)
    assert read(f"folder:{tmp_path}").channels == 1
    write(tmp_path / "iris" / "c.png")
    assert read(f"folder:{tmp_path}").channels == 3


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images in class sub-folders: it is empty") as error:
        read(f"folder:{tmp_path}")
    assert "DIR/<class>/*.png" in error.value.remedy


def test_images_without_class_folders_say_what_was_expected_and_found(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "b.png")
    with pytest.raises(DataError, match="found 0 sub-folders and 2 images beside them"):
        read(f"folder:{tmp_path}")


def test_class_folders_without_images_say_what_was_found(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"found 4 sub-folders \(a, b, c, …\) and 0 images"):
        read(f"folder:{tmp_path}")


def test_an_empty_train_folder_beside_a_test_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "rose").mkdir(parents=True)
    write(tmp_path / "test" / "rose" / "a.png")
    with pytest.raises(DataError, match=r"train holds no images"):
        read(f"folder:{tmp_path}")


@pytest.mark.parametrize("size", [None, 8])
def test_an_unreadable_image_is_named(tmp_path: Path, size: int | None) -> None:
    flowers(tmp_path)
    (tmp_path / "iris" / "broken.png").write_bytes((tmp_path / "iris" / "0.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"iris/broken\.png"):
        read(f"folder:{tmp_path}", image_size=size, channels=size and 3)


def test_a_folder_that_may_not_be_listed_is_an_error_not_an_empty_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    flowers(tmp_path)
    scandir = os.scandir

    def refuse(path: str | Path = ".") -> object:
        if Path(path).name == "iris":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read.*Permission denied"):
        read(f"folder:{tmp_path}")


@pytest.mark.parametrize("other", ["val", "extra"])
def test_images_beside_the_two_splits_are_not_lost_in_silence(tmp_path: Path, other: str) -> None:
    flowers(tmp_path, "train")
    (tmp_path / "notes").mkdir()
    assert len(read(f"folder:{tmp_path}").train) == 6
    write(tmp_path / other / "rose" / "a.png")
    with pytest.raises(DataError, match=rf"holds images in {other}/ beside train/, expected train/ and test/ only"):
        read(f"folder:{tmp_path}")


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "validation"), ("test",)])
def test_splits_by_other_names_do_not_become_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        flowers(tmp_path, name)
    with pytest.raises(DataError, match=r"holds splits named .*, expected train and test") as error:
        read(f"folder:{tmp_path}")
    assert all(name in error.value.message for name in names)


def test_a_class_may_be_named_like_a_split_where_others_are_not(tmp_path: Path) -> None:
    for name in ("test/left", "test/right", "rose"):
        write(tmp_path / name / "a.png")
    assert read(f"folder:{tmp_path}").class_names == ("rose", "test")
