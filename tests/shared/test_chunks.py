import contextlib
import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chunks import (
    HEADER,
    Chunk,
    check_manifest,
    chunks,
    describe,
    describe_with_list,
    encode_chunk,
    list_manifest,
    parse_chunk,
)
from shared.errors import TransferError
from shared.limits import CHUNK_BYTES, MAX_CHUNKS_IN_MANIFEST, MAX_PACKET_BYTES, MIB
from shared.messages import Get, Manifest, decode_message, encode_message


@pytest.fixture
def blob(tmp_path: Path) -> tuple[Path, Manifest]:
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(256)) * 3000)  # 768,000 bytes: 3 chunks and a short fourth
    return path, describe(path)


def want(manifest: Manifest, *ranges: tuple[int, int], credit: int = 64) -> Get:
    return Get(transfer=1, blob=manifest.blob, ranges=ranges, credit=credit)


def test_a_chunk_has_these_bytes_on_the_wire() -> None:
    golden = bytes.fromhex("01000000" + "0123456789abcdef" + "00000102") + b"data"
    assert encode_chunk(Chunk(0x0123456789ABCDEF, 258, b"data")) == golden
    assert parse_chunk(golden) == Chunk(0x0123456789ABCDEF, 258, b"data")
    assert HEADER.size == 16


@given(st.builds(Chunk, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=64)))
def test_parsing_undoes_encoding(chunk: Chunk) -> None:
    assert parse_chunk(encode_chunk(chunk)) == chunk


@given(st.binary(max_size=40))
def test_any_bytes_are_a_chunk_or_a_transfer_error(payload: bytes) -> None:
    with contextlib.suppress(TransferError):
        assert encode_chunk(parse_chunk(payload)) == payload


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "0 bytes is shorter than its header"),
        (bytes([1]) + bytes(14), "15 bytes is shorter than its header"),
        (bytes([2]) + bytes(15) + b"x", "version 2, expected 1"),
        (bytes([1, 4]) + bytes(14) + b"x", "flags 0x04"),
        (bytes([1, 0, 0, 1]) + bytes(12) + b"x", "reserved 0x0001"),
        (bytes([1]) + bytes(15), "0 bytes of data"),
        (bytes([1]) + bytes(15 + MIB + 1), "1048577 bytes of data"),
    ],
)
def test_each_violation_of_the_header_is_named(payload: bytes, message: str) -> None:
    with pytest.raises(TransferError, match=message):
        parse_chunk(payload)


def test_a_manifest_names_the_bytes_and_every_chunk(blob: tuple[Path, Manifest]) -> None:
    path, manifest = blob
    payload = path.read_bytes()
    assert describe(payload) == manifest
    assert manifest.blob == hashlib.sha256(payload).hexdigest()
    assert (manifest.size, manifest.chunk, len(manifest.digests)) == (768_000, CHUNK_BYTES, 4)
    assert manifest.digests[3] == hashlib.sha256(payload[3 * CHUNK_BYTES :]).hexdigest()[:32]


def test_the_largest_manifests_fit_a_control_message_and_a_larger_blob_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "blob"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(MAX_CHUNKS_IN_MANIFEST * CHUNK_BYTES)  # a sparse file: no disk is used
        longest = describe(path)
        assert longest.digest_list is None
        assert len(encode_message(longest)) < 64 * 1024
        file.truncate(MAX_CHUNKS_IN_MANIFEST * CHUNK_BYTES + 1)
        manifest, digests = describe_with_list(path)
        assert len(digests) == 16 * (MAX_CHUNKS_IN_MANIFEST + 1)
        assert manifest.digest_list == hashlib.sha256(digests).hexdigest()
        assert manifest.digests == (hashlib.sha256(digests).hexdigest()[:32],)
        assert list_manifest(manifest).size == len(digests)
        monkeypatch.setattr("shared.chunks.MAX_CHUNKS", MAX_CHUNKS_IN_MANIFEST)
        with pytest.raises(TransferError, match="larger than 120 MiB, the most that can be sent"):
            describe(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 768_000 * 1000, "chunk": 1024}, "has 750000 chunks, at most 65536"),
        ({"size": 5}, "lists 4 chunks, 5 bytes in chunks of 245760 are 1"),
        ({"digest_list": "0" * 64}, "lists 4 chunks, 64 bytes in chunks of 245760 are 1"),
    ],
)
def test_a_manifest_whose_numbers_contradict_each_other_is_refused(
    blob: tuple[Path, Manifest], change: dict[str, int | str], message: str
) -> None:
    with pytest.raises(TransferError, match=message):
        check_manifest(msgspec.structs.replace(blob[1], **change))
    with pytest.raises(TransferError, match="lists its digests itself"):
        list_manifest(blob[1])


def test_an_empty_or_missing_blob_cannot_be_described(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="empty"):
        describe(b"")
    with pytest.raises(TransferError, match="No such file"):
        describe(tmp_path / "none")


def test_a_request_is_answered_chunk_by_chunk_within_its_ranges(blob: tuple[Path, Manifest]) -> None:
    path, manifest = blob
    answers = [parse_chunk(payload) for payload in chunks(want(manifest, (0, 1), (2, 4)), manifest, path)]
    assert [chunk.index for chunk in answers] == [0, 2, 3]
    assert all(chunk.transfer == 1 for chunk in answers)
    assert answers[2].data == path.read_bytes()[3 * CHUNK_BYTES :]


def test_no_more_chunks_are_sent_than_the_request_has_credit_for(blob: tuple[Path, Manifest]) -> None:
    path, manifest = blob
    assert len(list(chunks(want(manifest, (0, 4), credit=3), manifest, path))) == 3
    assert list(chunks(want(manifest, (0, 4), credit=0), manifest, path)) == []


@pytest.mark.parametrize("ranges", [[(0, 5)], [(4, 5)], [(1, 1)], [(2, 1)], [(0, 2), (1, 3)], [(2, 3), (0, 1)]])
def test_a_request_for_what_does_not_exist_or_overlaps_is_refused(
    blob: tuple[Path, Manifest], ranges: list[tuple[int, int]]
) -> None:
    path, manifest = blob
    with pytest.raises(TransferError, match=r"expected ascending ranges within \[0, 4\)"):
        chunks(want(manifest, *ranges), manifest, path)


def test_a_request_for_another_blob_is_refused(blob: tuple[Path, Manifest]) -> None:
    path, manifest = blob
    with pytest.raises(TransferError, match="request for blob ffff"):
        chunks(Get(transfer=1, blob="f" * 64, ranges=((0, 1),), credit=1), manifest, path)


def test_a_blob_that_vanished_or_shrank_is_an_error_and_no_short_chunk(blob: tuple[Path, Manifest]) -> None:
    path, manifest = blob
    with path.open("r+b") as file:
        file.truncate(CHUNK_BYTES)
    with pytest.raises(TransferError, match="ends before chunk 1"):
        list(chunks(want(manifest, (0, 2)), manifest, path))
    path.unlink()
    with pytest.raises(TransferError, match="cannot read blob"):
        list(chunks(want(manifest, (0, 2)), manifest, path))


def test_a_full_chunk_on_the_longest_lane_fits_a_packet() -> None:
    longest_topic = len("fl/v1/") + 64 + len("/a/") + 64 + len("/down/c")
    assert 9 + longest_topic + HEADER.size + CHUNK_BYTES <= MAX_PACKET_BYTES


def test_a_request_survives_the_wire_with_the_largest_transfer_number() -> None:
    get = Get(transfer=2**63 - 1, blob="a" * 64, ranges=((0, 8), (9, 10)), credit=8)
    assert decode_message(encode_message(get), Get) == get
