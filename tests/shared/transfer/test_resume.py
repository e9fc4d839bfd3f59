import os

import pytest

from shared.blobs import BlobStore
from shared.transfer import Pull
from tests.shared.transfer.source import SMALL_CHUNK, Source, beside, finish, indexes, names


def test_a_file_that_was_removed_meanwhile_ends_the_pull(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    for chunk in source.answer(pull.next_get(0.0)):
        pull.accept(chunk, 0.0)
    beside(store, "part").unlink()
    while not pull.failure:
        for chunk in source.answer(pull.next_get(0.0)):
            pull.accept(chunk, 0.0)
    assert "its file was removed" in pull.failure
    assert names(store) == []


def test_a_new_process_goes_on_where_the_killed_one_was(source: Source, store: BlobStore) -> None:
    killed = Pull(3, source.manifest, store, 0.0)
    for chunk in source.answer(killed.next_get(0.0)):
        killed.accept(chunk, 0.0)
    part = beside(store, "part")
    with part.open("r+b") as file:  # one chunk did not reach the disk whole
        file.seek(2 * SMALL_CHUNK)
        file.write(bytes(100))
    pull = Pull(4, source.manifest, store, 0.0)
    assert indexes(pull.next_get(0.0)) == [2, 4, 5, 6]


def test_of_what_a_killed_process_left_only_what_is_marked_is_read(
    source: Source, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = Pull(3, source.manifest, store, 0.0)
    for chunk in source.answer(killed.next_get(0.0))[:3]:
        killed.accept(chunk, 0.0)
    read, pread = list[int](), os.pread

    def counting(file: int, size: int, offset: int) -> bytes:
        if size == SMALL_CHUNK:  # the marks are read, too
            read.append(offset // SMALL_CHUNK)
        return pread(file, size, offset)

    monkeypatch.setattr(os, "pread", counting)
    Pull(4, source.manifest, store, 0.0)
    assert read == [0, 1, 2]


@pytest.mark.parametrize("damage", ["missing", "short", "of another size"])
def test_marks_that_are_damaged_cost_the_transfer_and_not_the_blob(
    source: Source, store: BlobStore, damage: str
) -> None:
    killed = Pull(3, source.manifest, store, 0.0)
    for chunk in source.answer(killed.next_get(0.0)):
        killed.accept(chunk, 0.0)
    part, marks = beside(store, "part"), beside(store, "marks")
    if damage == "missing":
        marks.unlink()
    elif damage == "short":
        os.truncate(marks, 2)
    else:
        os.truncate(part, 100)
    pull = Pull(4, source.manifest, store, 0.0)
    assert indexes(pull.next_get(0.0)) == [0, 1, 2, 3]
    finish(pull, source)
    assert store.get(source.manifest.blob) == source.payload
    assert names(store) == [source.manifest.blob]
