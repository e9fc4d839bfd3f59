import msgspec
import pytest

from shared.blobs import BlobStore
from shared.chunks import (
    list_manifest,
)
from shared.transfer import Pull
from tests.shared.transfer.source import LargeSource, names


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
