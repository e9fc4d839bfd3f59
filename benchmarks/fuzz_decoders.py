"""Everything that reads bytes from a peer, fed with damaged ones: it raises its own error, or it reads them.

Run:  python -m benchmarks.fuzz_decoders               (200,000 cases, a few minutes)

Cases come from hypothesis: honest bytes with some changed, cut or repeated, and bytes out of nothing. A case that ends
in any error but a ``WireError`` stops the run with the bytes that did it.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.chunks import Chunk, check_manifest, chunks, describe, encode_chunk, parse_chunk
from shared.encoding import decode_update, encode_update
from shared.errors import WireError
from shared.messages import (
    ClientFigures,
    Command,
    CoordinatorPresence,
    Get,
    Offer,
    Presence,
    TrainTask,
    UpdateOffer,
    decode_message,
)
from shared.settings import Codec

RESULT = Path(__file__).parent / "results" / "fuzz" / "decoders.json"

DELTA = {"backbone.w": torch.ones(3, 4, 5), "psi.weight": torch.zeros(2, 3)}
SHAPES = {name: tensor.shape for name, tensor in DELTA.items()}
PAYLOAD = bytes(range(256)) * 40
MANIFEST = describe(PAYLOAD, chunk=1024)

HONEST: dict[str, list[bytes]] = {
    "chunk": [encode_chunk(Chunk(7, 3, bytes(50)))],
    "get": [msgspec.json.encode(Get(transfer=7, blob=MANIFEST.blob, ranges=((0, 4), (6, 9)), credit=7))],
    "command": [msgspec.json.encode(TrainTask(round=1, model=MANIFEST, deadline_seconds=5.0))],
    "offer": [
        msgspec.json.encode(
            UpdateOffer(
                client="a",
                round=1,
                base=MANIFEST.blob,
                num_examples=4,
                payload=MANIFEST,
                figures=ClientFigures(num_images=3),
            )
        )
    ],
    "presence": [msgspec.json.encode(Presence(client="a", state="ready", session="s"))],
    "status": [msgspec.json.encode(CoordinatorPresence(state="up", session="s"))],
    "update": [encode_update(DELTA, codec) for codec in get_args(Codec)],
}


@st.composite
def damaged(draw: st.DrawFn, samples: list[bytes]) -> bytes:
    """Draw honest bytes with damage, or any bytes."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    start, stop = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
    how = draw(st.sampled_from(["whole", "whole", "cut", "inner", "repeat"]))
    return bytes({"whole": data, "cut": data[:stop], "inner": data[start:stop], "repeat": data + data[start:stop]}[how])


def read_command(data: bytes) -> None:
    """Read a command and what is in it."""
    message: Any = decode_message(data, Command)  # type: ignore[arg-type]
    if isinstance(message, TrainTask):
        check_manifest(message.model)


def read_offer(data: bytes) -> None:
    """Read an offer and its manifest."""
    message: Any = decode_message(data, Offer)  # type: ignore[arg-type]
    if isinstance(message, UpdateOffer):
        check_manifest(message.payload)


def read_get(data: bytes) -> None:
    """Read a request and answer it."""
    list(chunks(decode_message(data, Get), MANIFEST, PAYLOAD))


def read_presence(data: bytes) -> None:
    """Read an agent's."""
    decode_message(data, Presence)


def read_status(data: bytes) -> None:
    """Read the coordinator's."""
    decode_message(data, CoordinatorPresence)


def attack(reader: Callable[[bytes], object], honest: list[bytes], cases: int, ended: Counter[str]) -> None:
    """Feed one reader, counting how it ended."""

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(honest))
    def attempt(data: bytes) -> None:
        try:
            reader(data)
        except WireError:
            ended["refused"] += 1
        else:
            ended["read"] += 1

    attempt()


def run(cases: int) -> dict[str, Any]:
    """Run so many cases over all readers that have no result yet; return how they ended."""
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "update"

        def read_update(data: bytes) -> None:
            path.write_bytes(data)
            for codec in ("safetensors", "fp32+zstd", "bf16"):
                for _ in decode_update(path, codec, shapes=SHAPES):
                    pass

        readers: dict[str, Callable[[bytes], object]] = {
            "update": read_update,
            "chunk": parse_chunk,
            "get": read_get,
            "command": read_command,
            "offer": read_offer,
            "presence": read_presence,
            "status": read_status,
        }
        for name in [name for name in readers if name not in found]:
            ended: Counter[str] = Counter()
            begin = time.perf_counter()
            attack(readers[name], HONEST[name], cases // len(readers), ended)
            found[name] = dict(sorted(ended.items())) | {"seconds": round(time.perf_counter() - begin, 1)}
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            RESULT.write_text(json.dumps(found, indent=1) + "\n")
            print(name, found[name], flush=True)
    return found


def main() -> None:
    """Run and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    run(parser.parse_args().cases)


if __name__ == "__main__":
    main()
