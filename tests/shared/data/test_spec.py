"""A data SPEC is understood, or the message says what would be."""

from pathlib import Path

import pytest

from shared.data import read
from shared.errors import DataError


@pytest.mark.parametrize("spec", ["", "imagenet:/data", "digits:/data", "Digits", "/some/folder", "folder"])
def test_an_unknown_spec_or_one_without_its_folder_is_refused_with_what_is_known(spec: str) -> None:
    with pytest.raises(DataError) as error:
        read(spec)
    assert "folder:DIR" in error.value.remedy
    assert repr(spec) in error.value.message


@pytest.mark.parametrize("kind", ["folder", "cifar10", "cifar100", "fashion-mnist"])
def test_a_missing_folder_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is no folder"):
        read(f"{kind}:{tmp_path}/nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is no folder"):
        read(f"{kind}:{tmp_path}/file")


def test_a_home_folder_may_be_written_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=f"{tmp_path}/pictures is no folder"):
        read("folder:~/pictures")
