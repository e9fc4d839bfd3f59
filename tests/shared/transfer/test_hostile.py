import math
from pathlib import Path

import msgspec
import pytest

from shared.blobs import BlobStore
from shared.chunks import (
    Chunk,
)
from shared.errors import TransferError
from shared.transfer import Pull
from tests.shared.transfer.source import SMALL_CHUNK, Source, beside, finish, names


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
