import errno
import itertools
import math
import os
import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.blobs import BlobStore
from shared.chunks import Chunk, chunk_digest, chunks, describe, parse_chunk
from shared.errors import ArtifactError, TransferError
from shared.limits import MAX_REREQUEST_SECONDS, REREQUEST_SECONDS, WINDOW_CHUNKS
from shared.messages import Get, Manifest
from shared.transfer import Pull

SMALL_CHUNK = 1024


def describe_small(payload: bytes) -> Manifest:
    """As ``describe``, in small chunks, so that many fit a quick test."""
    pieces = [payload[start : start + SMALL_CHUNK] for start in range(0, len(payload), SMALL_CHUNK)]
    digests = tuple(chunk_digest(piece) for piece in pieces)
    return msgspec.structs.replace(describe(payload), chunk=SMALL_CHUNK, digests=digests)


class Source:
    """A sender with every chunk at hand."""

    def __init__(self, folder: Path, size: int = 20_000) -> None:
        self.payload = random.Random(size).randbytes(size)
        self.manifest = describe_small(self.payload)
        self.path = folder / "source"
        self.path.write_bytes(self.payload)

    def answer(self, get: Get | None) -> list[Chunk]:
        assert get is not None
        return [parse_chunk(payload) for payload in chunks(get, self.manifest, self.path)]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def indexes(get: Get | None) -> list[int]:
    assert get is not None
    return [index for start, stop in get.ranges for index in range(start, stop)]


def names(store: BlobStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


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
                assert len(indexes(get)) == get.credit <= WINDOW_CHUNKS
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
            part = store.folder / f"{source.manifest.blob}.part"
            assert not part.exists() or part.stat().st_size == size
            if pull.done:
                break
        assert store.get(source.manifest.blob) == source.payload


def test_the_window_is_refilled_when_half_of_it_has_arrived(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    first = pull.next_get(0.0)
    assert indexes(first) == list(range(WINDOW_CHUNKS))
    answers = source.answer(first)
    for chunk in answers[: WINDOW_CHUNKS // 2 - 1]:
        pull.accept(chunk, 0.1)
        assert pull.next_get(0.1) is None
    pull.accept(answers[WINDOW_CHUNKS // 2 - 1], 0.1)
    half = WINDOW_CHUNKS // 2
    assert indexes(pull.next_get(0.1)) == list(range(WINDOW_CHUNKS, WINDOW_CHUNKS + half))


def test_chunks_under_way_are_asked_for_again_only_after_the_timeout_which_doubles(
    source: Source, store: BlobStore
) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    now, wait = 100.0, REREQUEST_SECONDS
    first = pull.next_get(now)
    for _ in range(7):
        assert pull.next_wakeup == now + wait
        assert pull.next_get(now + wait - 0.01) is None
        now += wait
        assert pull.next_get(now) == first
        wait = min(2 * wait, MAX_REREQUEST_SECONDS)
    assert wait == MAX_REREQUEST_SECONDS
    pull.accept(source.answer(first)[0], now + 0.01)
    pull.reconnected(now + 0.02)
    assert pull.next_wakeup < now
    assert indexes(pull.next_get(now + 0.02)) == list(range(1, WINDOW_CHUNKS + 1))
    assert pull.next_wakeup == now + 0.02 + REREQUEST_SECONDS


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
    assert sent <= 60 + WINDOW_CHUNKS  # the first window is repeated once, before the link's pace is known


def test_a_late_chunk_that_was_given_up_is_still_welcome(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    early = source.answer(pull.next_get(0.0))
    pull.next_get(5.0)
    assert pull.accept(early[0], 5.1)


@pytest.mark.parametrize(
    "hostile",
    [
        Chunk(3, 20, b"x"),
        Chunk(3, 2**32 - 1, b"x"),
        Chunk(3, 0, b"x"),
        Chunk(3, 0, bytes(SMALL_CHUNK)),
        Chunk(3, 0, bytes(SMALL_CHUNK + 1)),
    ],
    ids=["beyond the blob", "far beyond", "too short", "wrong digest", "too long"],
)
def test_a_chunk_that_does_not_fit_changes_nothing(source: Source, store: BlobStore, hostile: Chunk) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    pull.next_get(0.0)
    part = store.folder / f"{source.manifest.blob}.part"
    before, wakeup = part.read_bytes(), pull.next_wakeup
    assert not pull.accept(hostile, 1.0)
    assert (part.read_bytes(), pull.next_wakeup) == (before, wakeup)


def test_a_chunk_of_another_transfer_is_ignored(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    chunk = source.answer(pull.next_get(0.0))[0]
    assert not pull.accept(Chunk(4, chunk.index, chunk.data), 0.0)


def test_a_chunk_of_a_foreign_blob_is_ignored(source: Source, tmp_path: Path, store: BlobStore) -> None:
    foreign = Source(tmp_path, 19_999)
    pull = Pull(3, source.manifest, store, 0.0)
    get = pull.next_get(0.0)
    assert get is not None
    for chunk in foreign.answer(msgspec.structs.replace(get, blob=foreign.manifest.blob)):
        assert not pull.accept(chunk, 0.0)


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


def test_a_new_process_goes_on_where_the_killed_one_was(source: Source, store: BlobStore) -> None:
    killed = Pull(3, source.manifest, store, 0.0)
    for chunk in source.answer(killed.next_get(0.0)):
        killed.accept(chunk, 0.0)
    part = store.folder / f"{source.manifest.blob}.part"
    with part.open("r+b") as file:  # one chunk did not reach the disk whole
        file.seek(2 * SMALL_CHUNK)
        file.write(bytes(100))
    pull = Pull(4, source.manifest, store, 0.0)
    assert indexes(pull.next_get(0.0)) == [2, *range(WINDOW_CHUNKS, 2 * WINDOW_CHUNKS - 1)]


def test_two_pulls_of_one_blob_both_end(source: Source, store: BlobStore) -> None:
    pulls = [Pull(3, source.manifest, store, 0.0), Pull(4, source.manifest, store, 0.0)]
    for pull in pulls:
        for chunk in source.answer(pull.next_get(0.0))[:5]:
            pull.accept(chunk, 0.0)
    for pull in pulls:
        while not pull.done:
            pull.reconnected(0.0)
            for chunk in source.answer(pull.next_get(0.0)):
                pull.accept(chunk, 0.0)
    assert store.get(source.manifest.blob) == source.payload
    assert names(store) == [source.manifest.blob]


def test_a_manifest_that_lies_about_its_digest_ends_in_failure_not_in_a_wrong_blob(
    source: Source, store: BlobStore
) -> None:
    lie = msgspec.structs.replace(source.manifest, blob="0" * 64)
    pull = Pull(3, lie, store, 0.0)
    source.manifest = lie
    while not pull.failure:
        for chunk in source.answer(pull.next_get(0.0)):
            pull.accept(chunk, 0.0)
    assert "the manifest said 000000000000" in pull.failure
    assert not pull.done
    assert pull.next_wakeup == math.inf
    assert names(store) == []


@pytest.mark.parametrize("count", [18, 20])
def test_a_manifest_whose_sizes_contradict_each_other_is_refused(source: Source, store: BlobStore, count: int) -> None:
    digests = source.manifest.digests[:count]
    contradictory = msgspec.structs.replace(source.manifest, digests=digests, size=19 * SMALL_CHUNK)
    with pytest.raises(TransferError, match=f"lists {count} chunks, 19456 bytes in chunks of 1024 are 19"):
        Pull(3, contradictory, store, 0.0)


def test_a_pull_that_was_given_up_asks_and_takes_no_more(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0)
    chunk = source.answer(pull.next_get(0.0))[0]
    pull.failed("the round closed")
    assert pull.failure == "the round closed"
    assert not pull.accept(chunk, 0.0)
    assert pull.next_get(60.0) is None


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
