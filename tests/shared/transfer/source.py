"""Senders that a pull is answered by in tests, and what a test asks of a pull."""

import random
from pathlib import Path

import msgspec
import pytest

from shared.blobs import BlobStore
from shared.chunks import (
    Chunk,
    chunk_digest,
    chunks,
    describe,
    describe_with_list,
    list_manifest,
    parse_chunk,
)
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
