import errno
import itertools
import math
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.blobs import BlobStore
from shared.chunks import (
    Chunk,
)
from shared.errors import ArtifactError
from shared.limits import FIRST_WINDOW_CHUNKS, MAX_WINDOW_CHUNKS
from shared.transfer import Pull
from tests.shared.transfer.source import (
    SMALL_CHUNK,
    LargeSource,
    Source,
    finish,
    indexes,
    names,
)


def test_a_blob_arrives_whole_and_leaves_no_part_file(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    while not pull.done:
        for chunk in source.answer(pull.next_get(0.0)):
            assert source.manifest.blob not in store
            assert pull.accept(chunk, 0.0)
    assert store.get(source.manifest.blob) == source.payload
    assert names(store) == [source.manifest.blob]
    assert pull.next_get(99.0) is None
    assert pull.next_wakeup == math.inf


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 30 * SMALL_CHUNK))
def test_any_loss_duplication_and_reordering_ends_with_the_same_bytes(data: st.DataObject, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, store = Source(Path(folder), size), BlobStore(Path(folder) / "blobs")
        pull = Pull(3, source.manifest, store, 0.0)
        now, flying = 0.0, list[Chunk]()
        for step in itertools.count():
            get = pull.next_get(now)
            if get is not None:
                assert len(indexes(get)) == get.credit <= MAX_WINDOW_CHUNKS
                flying += source.answer(get)
            fate = data.draw(st.sampled_from(["arrive", "twice", "lost", "swap", "cut"])) if step < 80 else "arrive"
            if fate == "cut":
                flying.clear()
                pull.reconnected(now)
            elif flying:
                chunk = flying.pop(-1 if fate == "swap" else 0)
                for _ in range({"lost": 0, "twice": 2}.get(fate, 1)):
                    pull.accept(chunk, now)
            else:
                now = max(now, min(pull.next_wakeup, now + 60))
            assert all(part.stat().st_size == size for part in store.folder.glob("*.part"))
            if pull.done:
                break
        assert store.get(source.manifest.blob) == source.payload


def test_a_link_slower_than_the_timeout_is_not_flooded_with_repeats(tmp_path: Path, store: BlobStore) -> None:
    source = Source(tmp_path, 60 * SMALL_CHUNK)
    pull = Pull(3, source.manifest, store, 0.0)
    flying, sent = list[Chunk](), 0
    for tick in itertools.count(1):
        now = tick / 2
        if (get := pull.next_get(now)) is not None:
            flying += source.answer(get)
            sent += get.credit
        if tick % 5 == 0:  # a chunk needs 2.5 s on this link
            pull.accept(flying.pop(0), now)
        if pull.done:
            break
    assert sent <= 60 + FIRST_WINDOW_CHUNKS // 2  # repeated before the link's pace is known, by a halved window


def test_a_late_chunk_that_was_given_up_is_still_welcome(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    early = source.answer(pull.next_get(0.0))
    pull.next_get(5.0)
    assert pull.accept(early[0], 5.1)


def test_a_chunk_counts_once(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    chunk = source.answer(pull.next_get(0.0))[0]
    assert pull.accept(chunk, 0.0)
    assert not pull.accept(chunk, 0.0)


def test_a_blob_that_is_there_is_done_at_once(source: Source, store: BlobStore) -> None:
    store.put(source.payload)
    pull = Pull(3, source.manifest, store, 0.0)
    assert pull.done
    assert pull.next_get(0.0) is None


def test_two_pulls_of_one_blob_both_end(source: Source, store: BlobStore) -> None:
    pulls = [Pull(3, source.manifest, store, 0.0), Pull(4, source.manifest, store, 0.0)]
    for pull in pulls:
        for chunk in source.answer(pull.next_get(0.0))[:3]:
            pull.accept(chunk, 0.0)
    for pull in pulls:
        finish(pull, source)
    assert store.get(source.manifest.blob) == source.payload
    assert names(store) == [source.manifest.blob]


def test_a_pull_that_was_given_up_asks_and_takes_no_more(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    chunk = source.answer(pull.next_get(0.0))[0]
    pull.failed("the round closed")
    assert pull.failure == "the round closed"
    assert not pull.accept(chunk, 0.0)
    assert pull.next_get(60.0) is None


def test_a_pull_that_is_wanted_no_longer_leaves_nothing_on_disk(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LargeSource(monkeypatch)
    for most in (2, 50):
        pull = Pull(3, source.manifest, store, 0.0)
        source.serve(pull, most=most)
        assert names(store) != []
        pull.discard()
        assert names(store) == []
        assert pull.next_get(0.0) is None


def test_a_full_disk_is_an_artifact_error(source: Source, store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pull = Pull(3, source.manifest, store, 0.0)
    chunk = source.answer(pull.next_get(0.0))[0]
    monkeypatch.setattr(os, "pwrite", no_space)
    with pytest.raises(ArtifactError, match="No space left"):
        pull.accept(chunk, 0.0)
    monkeypatch.setattr(os, "pwrite", lambda *_: 3)
    with pytest.raises(ArtifactError, match="disk full"):
        pull.accept(chunk, 0.0)
