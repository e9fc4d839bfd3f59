import errno
import itertools
import math
import os
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.blobs import BlobStore
from shared.chunks import (
    Chunk,
    chunk_digest,
    chunks,
    describe,
    describe_with_list,
    list_manifest,
    parse_chunk,
    read_chunk,
    wave_number,
)
from shared.errors import ArtifactError, TransferError
from shared.limits import FIRST_ANSWER_SECONDS, FIRST_WINDOW_CHUNKS, MAX_WINDOW_CHUNKS
from shared.messages import Get, Manifest
from shared.transfer import Pull

SMALL_CHUNK = 1024


def describe_small(payload: bytes) -> Manifest:
    """As ``describe``, in small chunks, so that many fit a quick test."""
    pieces = [payload[start : start + SMALL_CHUNK] for start in range(0, len(payload), SMALL_CHUNK)]
    digests = tuple(chunk_digest(piece).hex() for piece in pieces)
    return msgspec.structs.replace(describe(payload), chunk=SMALL_CHUNK, digests=digests)


def beside(store: BlobStore, kind: str) -> Path:
    """The one file of an unfinished blob."""
    (path,) = store.folder.glob(f"*.{kind}")
    return path


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


def finish(pull: Pull, source: Source) -> None:
    """Ask for everything again and answer it."""
    while not pull.done:
        pull.reconnected(0.0)
        for chunk in source.answer(pull.next_get(0.0)):
            pull.accept(chunk, 0.0)


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
    part = beside(store, "part")
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


def test_a_liar_about_the_same_blob_writes_elsewhere(source: Source, tmp_path: Path, store: BlobStore) -> None:
    """Its chunks fit its own manifest, so they are taken, and must not end in the honest one's file."""
    (tmp_path / "foreign").mkdir()
    foreign = Source(tmp_path / "foreign", 19_999)
    foreign.manifest = msgspec.structs.replace(foreign.manifest, blob=source.manifest.blob)
    honest, liar = Pull(3, source.manifest, store, 0.0), Pull(4, foreign.manifest, store, 0.0)
    while not liar.failure:
        if (get := honest.next_get(0.0)) is not None:
            honest.accept(source.answer(get)[0], 0.0)
        for chunk in foreign.answer(liar.next_get(0.0)):
            assert liar.accept(chunk, 0.0)
    assert "its chunks make" in liar.failure
    honest.reconnected(0.0)
    finish(honest, source)
    assert store.get(source.manifest.blob) == source.payload


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


def test_two_pulls_of_one_blob_both_end(source: Source, store: BlobStore) -> None:
    pulls = [Pull(3, source.manifest, store, 0.0), Pull(4, source.manifest, store, 0.0)]
    for pull in pulls:
        for chunk in source.answer(pull.next_get(0.0))[:3]:
            pull.accept(chunk, 0.0)
    for pull in pulls:
        finish(pull, source)
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


class LargeSource:
    """A sender of a blob whose digests do not fit its manifest."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, size: int = 200 * SMALL_CHUNK - 7) -> None:
        monkeypatch.setattr("shared.chunks.MAX_CHUNKS_IN_MANIFEST", 8)
        self.payload = random.Random(size).randbytes(size)
        self.manifest, self.digests = describe_with_list(self.payload, chunk=SMALL_CHUNK)
        self.inner = list_manifest(self.manifest)

    def answer(self, get: Get | None) -> list[Chunk]:
        assert get is not None
        if get.blob == self.inner.blob:
            return [parse_chunk(payload) for payload in chunks(get, self.inner, self.digests)]
        return [parse_chunk(payload) for payload in chunks(get, self.manifest, self.payload)]

    def serve(self, pull: Pull, most: int = 10**6) -> int:
        """Answer until the pull is done or failed or enough chunks were sent."""
        sent = 0
        while not (pull.done or pull.failure) and sent < most:
            for chunk in self.answer(pull.next_get(0.0)):
                sent += 1
                pull.accept(chunk, 0.0)
        return sent


def test_the_digests_of_a_large_blob_are_a_blob_that_is_pulled_first(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LargeSource(monkeypatch)
    assert len(source.digests) == 16 * 200
    assert source.inner.size == 3200
    assert len(source.manifest.digests) == 4
    pull = Pull(3, source.manifest, store, 0.0)
    first = pull.next_get(0.0)
    assert first is not None
    assert first.blob == source.manifest.digest_list
    for chunk in source.answer(first):
        pull.accept(chunk, 0.0)
    assert source.serve(pull) == 200
    assert store.get(source.manifest.blob) == source.payload
    assert names(store) == [source.manifest.blob]


@pytest.mark.parametrize("killed_after", [2, 4, 50])
def test_a_large_blob_goes_on_where_a_killed_process_was(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    source = LargeSource(monkeypatch)
    killed = Pull(3, source.manifest, store, 0.0)
    before = source.serve(killed, most=killed_after)
    pull = Pull(4, source.manifest, store, 0.0)
    assert before + source.serve(pull) == 204
    assert store.get(source.manifest.blob) == source.payload
    assert names(store) == [source.manifest.blob]


def test_a_list_of_digests_that_is_not_the_blobs_own_brings_nothing_into_the_store(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LargeSource(monkeypatch)
    lie = msgspec.structs.replace(source.manifest, digest_list="0" * 64)
    source.inner = list_manifest(lie)
    pull = Pull(3, lie, store, 0.0)
    source.serve(pull)
    assert "the manifest said 000000000000" in pull.failure
    assert names(store) == []


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


def test_a_broadcast_is_heard_before_anything_is_asked_for(source: Source, store: BlobStore) -> None:
    pull = Pull(3, source.manifest, store, 0.0, wave=True)
    every = wave(source, range(20))
    for chunk in every[:19]:
        assert pull.next_get(1.0) is None
        assert pull.overhear(chunk, 1.0)
    assert not pull.done
    assert pull.overhear(every[19], 1.0)
    assert store.get(source.manifest.blob) == source.payload


def test_what_a_broadcast_left_out_is_asked_for_when_its_last_chunk_came(source: Source, store: BlobStore) -> None:
    pull = Pull(0, source.manifest, store, 0.0, wave=True)
    for chunk in wave(source, [0, 1, 3, 4, *range(7, 20)]):
        pull.overhear(chunk, 1.0)
    get = pull.next_get(1.0)
    assert indexes(get) == [2, 5, 6]
    for chunk in source.answer(get):
        pull.accept(chunk, 1.0)
    assert store.get(source.manifest.blob) == source.payload


def test_a_broadcast_that_falls_silent_is_not_waited_for(source: Source, store: BlobStore) -> None:
    pull = Pull(0, source.manifest, store, 0.0, wave=True)
    pull.overhear(wave(source, [0])[0], 1.0)
    assert pull.next_wakeup == 3.0
    assert pull.next_get(2.9) is None
    assert indexes(pull.next_get(3.0)) == [1, 2, 3, 4]


def test_a_broadcast_of_another_blob_or_with_damage_changes_nothing(
    source: Source, tmp_path: Path, store: BlobStore
) -> None:
    pull = Pull(0, source.manifest, store, 0.0, wave=True)
    foreign = Source(tmp_path, 19_999)
    assert not pull.overhear(wave(foreign, [0])[0], 1.0)
    honest = wave(source, [0])[0]
    assert not pull.overhear(Chunk(honest.transfer, 1, honest.data), 1.0)
    assert not pull.overhear(Chunk(honest.transfer, 2**32 - 1, honest.data), 1.0)
    assert pull.next_wakeup == FIRST_ANSWER_SECONDS


def wave(source: Source, wanted: Iterable[int]) -> list[Chunk]:
    """Return broadcast chunks of a source."""
    number = wave_number(source.manifest.blob)
    return [Chunk(number, index, read_chunk(source.path, source.manifest, index)) for index in wanted]
