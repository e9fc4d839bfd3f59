from collections.abc import Iterable
from pathlib import Path

from shared.blobs import BlobStore
from shared.chunks import (
    Chunk,
    read_chunk,
    wave_number,
)
from shared.limits import FIRST_ANSWER_SECONDS
from shared.transfer import Pull
from tests.shared.transfer.source import Source, indexes


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
