from pathlib import Path
from typing import get_args

import pytest
import torch
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from shared.encoding import decode_update, encode_update
from shared.errors import TransferError
from shared.settings import Codec, UpdateSettings
from shared.tensors import Tensors, encode

SHAPES = {
    "backbone.w": torch.Size([3, 4, 5]),
    "backbone.running_mean": torch.Size([7]),
    "psi.weight": torch.Size([2, 3]),
}

BITS = {"fp32": 24, "fp16": 11, "bf16": 8}
"""Significant bits of each precision: rounding to nearest errs by half of the last one."""


def update(seed: int = 0, scale: float = 1e-3) -> Tensors:
    random = torch.Generator().manual_seed(seed)
    return {name: scale * torch.randn(shape, generator=random) for name, shape in SHAPES.items()}


def decoded(folder: Path, payload: bytes, codec: Codec) -> Tensors:
    path = folder / "update"
    path.write_bytes(payload)
    return dict(decode_update(path, codec, shapes=SHAPES))


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_decoding_undoes_encoding_up_to_the_precision(tmp_path: Path, precision: str, compression: str) -> None:
    codec = UpdateSettings(encoding=precision, compression=compression).codec  # type: ignore[arg-type]
    sent = update()
    payload = encode_update(sent, codec)
    assert payload == encode_update(dict(reversed(sent.items())), codec)
    received = decoded(tmp_path, payload, codec)
    assert received.keys() == sent.keys()
    for name, tensor in sent.items():
        assert received[name].dtype == torch.float32
        bound = 0.0 if precision == "fp32" else 2.0 ** -BITS[precision]
        assert ((received[name] - tensor).abs() <= bound * tensor.abs() + (6e-8 if precision == "fp16" else 0)).all()


def test_every_codec_has_a_setting_and_every_setting_a_codec() -> None:
    settings_codecs = [
        UpdateSettings(encoding=precision, compression=compression).codec  # type: ignore[arg-type]
        for precision in BITS
        for compression in ("none", "zstd")
    ]
    assert sorted(settings_codecs) == sorted(get_args(Codec))


def test_the_plain_encoding_is_the_models_own() -> None:
    assert encode_update(update(), "safetensors") == encode(update())


def test_what_fp16_cannot_hold_arrives_as_infinity_to_be_refused_by_name(tmp_path: Path) -> None:
    sent = update() | {"psi.weight": torch.full((2, 3), 1e6)}
    assert decoded(tmp_path, encode_update(sent, "fp16+zstd"), "fp16+zstd")["psi.weight"].isinf().all()


def entry(data: bytes, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=dtype)


BOMB = zstandard.ZstdCompressor(level=19).compress(bytes(64 * 1024 * 1024))
UNSIZED = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(24))
HONEST = zstandard.ZstdCompressor().compress(bytes(24))


@pytest.mark.parametrize(
    ("psi", "message"),
    [
        (entry(BOMB), "psi.weight unpacks to 67108864 bytes, expected 24"),
        (entry(UNSIZED), "expected 24"),
        (entry(HONEST + b"more"), "no zstd frame"),
        (entry(HONEST[:-1]), "no zstd frame"),
        (entry(b"no frame"), "no zstd frame"),
        (entry(HONEST + HONEST), "no zstd frame"),
        (entry(bytes(24), torch.float32), "expected a row of bytes"),
        (entry(HONEST).reshape(1, -1), "expected a row of bytes"),
    ],
    ids=["bomb", "no size", "tail", "cut", "noise", "two frames", "dtype", "shape"],
)
def test_a_frame_that_is_not_its_tensors_is_refused_before_it_takes_memory(
    tmp_path: Path, psi: torch.Tensor, message: str
) -> None:
    with pytest.raises(TransferError, match=message):
        decoded(tmp_path, save({"psi.weight": psi}), "fp32+zstd")


def test_an_entry_nobody_expects_is_passed_on_as_it_is_for_the_caller_to_refuse(tmp_path: Path) -> None:
    assert decoded(tmp_path, save({"phi": entry(BOMB)}), "fp32+zstd")["phi"].dtype == torch.uint8


@settings(max_examples=1500, deadline=None)
@given(data=st.data(), codec=st.sampled_from(get_args(Codec)))
def test_any_bytes_are_an_update_or_a_transfer_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, codec: Codec
) -> None:
    payload = bytearray(encode_update(update(), codec))
    for _ in range(data.draw(st.integers(0, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload))) if data.draw(st.booleans()) else len(payload)
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(payload[:cut])
    try:
        for name, tensor in decode_update(path, codec, shapes=SHAPES):
            assert tensor.numel() <= len(payload) or tensor.shape == SHAPES[name]
    except TransferError:
        pass
