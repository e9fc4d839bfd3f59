"""From an image file to pixels."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.data import read_image
from shared.data.pixels import EXTENSIONS, fit_all, measure
from shared.errors import DataError
from tests.shared.data.pictures import pixels, write


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_pixels_come_back_as_written_where_nothing_changes(tmp_path: Path, channels: int, mode: str) -> None:
    array = write(tmp_path / "a.png", channels=channels)
    got = read_image(tmp_path / "a.png", image_size=8, channels=channels)
    assert got.dtype == torch.uint8
    assert got.shape == (channels, 8, 8)
    assert np.array_equal(got.numpy(), array[None] if mode == "L" else array.transpose(2, 0, 1))


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
def test_every_extension_is_read(tmp_path: Path, extension: str) -> None:
    write(tmp_path / f"a{extension}", size=(12, 9))
    assert read_image(tmp_path / f"a{extension}", image_size=8, channels=3).shape == (3, 8, 8)


def test_a_grey_image_becomes_colour_with_equal_channels_and_colour_becomes_luma(tmp_path: Path) -> None:
    grey = write(tmp_path / "g.png", channels=1)
    red, green, blue = read_image(tmp_path / "g.png", image_size=8, channels=3)
    assert np.array_equal(red.numpy(), grey)
    assert red.equal(green)
    assert red.equal(blue)
    colour = write(tmp_path / "c.png").astype(float)
    luma = read_image(tmp_path / "c.png", image_size=8, channels=1)[0].numpy().astype(float)
    assert np.abs(luma - colour @ [0.299, 0.587, 0.114]).max() <= 1  # ITU-R 601


def test_reduction_does_not_alias(tmp_path: Path) -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    Image.fromarray(stripes).save(tmp_path / "s.png")
    got = read_image(tmp_path / "s.png", image_size=8, channels=1).float()
    assert got[0, 1:-1, 1:-1].sub(127.5).abs().max() < 3  # without antialiasing: 0 or 255


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_large_jpeg_is_read_as_if_decoded_in_full(tmp_path: Path, mode: str) -> None:
    smooth = Image.fromarray(pixels(1, size=(8, 6))).resize((800, 600), Image.Resampling.BICUBIC).convert(mode)
    smooth.save(tmp_path / "a.jpg", quality=95)
    channels = len(mode)
    got = read_image(tmp_path / "a.jpg", image_size=32, channels=channels).float()
    with Image.open(tmp_path / "a.jpg") as image:
        full = np.asarray(image.convert(mode).resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float32)
    wanted = torch.from_numpy(full.reshape(32, 32, channels)).permute(2, 0, 1)
    assert (got - wanted).abs().max() <= 6
    assert (got - wanted).abs().mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("L", (32, 32), 0)
    upright.paste(255, (0, 0, 16, 8))  # a bar in the upper left tells all eight apart
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transpose that a camera with this tag would have applied
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif, quality=100)
    got = read_image(tmp_path / "a.jpg", image_size=32, channels=1)[0].float()
    assert (got - torch.from_numpy(np.array(upright)).float()).abs().max() < 10


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    deep = (pixels(3, channels=1).astype(np.uint16) << 8) + 77
    Image.fromarray(deep).save(tmp_path / "a.png")
    got = read_image(tmp_path / "a.png", image_size=8, channels=1)
    assert np.array_equal(got[0].numpy(), deep >> 8)
    assert measure(tmp_path / "a.png") == ((8, 8), True)


def test_transparency_is_dropped_without_a_warning(tmp_path: Path) -> None:
    Image.fromarray(pixels(4, channels=4)).save(tmp_path / "rgba.png")
    assert np.array_equal(
        read_image(tmp_path / "rgba.png", image_size=8, channels=3).numpy(),
        pixels(4, channels=4)[..., :3].transpose(2, 0, 1),
    )
    palette = Image.fromarray(pixels(5)).quantize(16)
    palette.save(tmp_path / "p.png", transparency=bytes(range(16)))
    got = read_image(tmp_path / "p.png", image_size=8, channels=3).numpy()
    assert np.array_equal(got, np.asarray(palette.convert("RGB")).transpose(2, 0, 1))


def test_images_in_memory_are_fitted_like_files(tmp_path: Path) -> None:
    array = write(tmp_path / "a.png", size=(8, 8))
    stored = torch.from_numpy(array.transpose(2, 0, 1).copy())[None]
    for size, channels in ((8, 3), (8, 1), (5, 3), (20, 1)):
        fitted = fit_all(stored, size, channels)
        assert fitted[0].equal(read_image(tmp_path / "a.png", image_size=size, channels=channels))
    assert fit_all(stored, 8, 3) is stored


def test_a_text_file_with_an_image_name_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not an image")
    for read in (lambda path: read_image(path, image_size=8, channels=3), measure):
        with pytest.raises(DataError, match=r"notes\.png is no PNG, JPEG, BMP or WebP image"):
            read(tmp_path / "notes.png")


def test_a_format_that_is_not_read_cannot_hide_behind_a_name(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, format="GIF")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"a\.png"):
        read_image(tmp_path / "a.png", image_size=8, channels=1)


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
def test_a_truncated_image_is_refused_by_its_name(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"cut{extension}"
    write(path, size=(40, 40))
    payload = path.read_bytes()
    for size in (0, 1, len(payload) // 3, len(payload) // 2, len(payload) - len(payload) // 8):
        path.write_bytes(payload[:size])
        with pytest.raises(DataError, match=rf"cut\{extension}"):
            read_image(path, image_size=8, channels=3)


def with_png_chunk(payload: bytes, name: bytes, data: bytes) -> bytes:
    """Insert a chunk behind a PNG's header."""
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return payload[:33] + chunk + payload[33:]


@pytest.mark.parametrize(
    ("name", "data"), [(b"gAMA", b"\1"), (b"tRNS", b""), (b"eXIf", b"no TIFF header"), (b"eXIf", b"MM\0*\0\0")]
)
def test_a_damaged_block_of_metadata_is_refused_by_its_files_name(tmp_path: Path, name: bytes, data: bytes) -> None:
    write(tmp_path / "meta.png")
    (tmp_path / "meta.png").write_bytes(with_png_chunk((tmp_path / "meta.png").read_bytes(), name, data))
    with pytest.raises(DataError, match=r"meta\.png cannot be read as an image"):
        read_image(tmp_path / "meta.png", image_size=8, channels=3)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")  # 50 KB that would become 400 million pixels
    with pytest.raises(DataError, match=r"bomb\.png"):
        read_image(tmp_path / "bomb.png", image_size=8, channels=1)


@pytest.mark.filterwarnings("ignore::UserWarning")  # PIL's remarks on damaged metadata
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    extension=st.sampled_from(sorted(EXTENSIONS)),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0, 1),
)
def test_damaged_bytes_give_pixels_or_a_data_error_and_nothing_else(
    tmp_path: Path, extension: str, changes: list[tuple[float, int]], cut: float
) -> None:
    path = tmp_path / f"a{extension}"
    write(path, size=(16, 16))
    payload = bytearray(path.read_bytes())
    for position, value in changes:
        payload[int(position * len(payload))] = value
    path.write_bytes(payload[: len(payload) - int(cut * cut * len(payload) / 2)])
    try:
        shape_or_message = tuple(read_image(path, image_size=8, channels=3).shape)
    except DataError as error:
        shape_or_message = error.message
    assert shape_or_message == (3, 8, 8) or (path.name in shape_or_message and "\n" not in shape_or_message)
