"""What each encoding of an update saves and costs, on deltas that a client really trained.

Run:  python -m benchmarks.encodings                                  (digits)
      python -m benchmarks.encodings --data folder:DIR --backbone resnet18 --images 96

One client trains round 1 and a second round from its own result. Each delta is encoded and decoded in every way;
processor seconds are medians of turns. The error is that of the tensors that come out, relative to the delta's own
norm. ``plain zstd`` is what compression gives without sorting bytes by significance.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import torch
import zstandard

from edge.device_data import DeviceData
from edge.round import run_round
from shared.data import read
from shared.encoding import LEVEL, decode_update, encode_update
from shared.etf import sparse_etf
from shared.model import SharedModel, initial_model, pack, unpack
from shared.seeds import generator
from shared.settings import Codec, ModelSettings, SharedSettings, TrainingSettings
from shared.tensors import Tensors, encode

RESULTS = Path(__file__).parent / "results" / "encodings"
TURNS = 5
MB = 1e6

Value = TypeVar("Value")


def deltas(data: str, backbone: str, images: int) -> list[Tensors]:
    """Train two rounds on the first images of a data set; return both deltas."""
    torch.set_num_threads(1)
    splits = read(data, image_size=None, channels=None, class_names=None)
    settings = SharedSettings(
        federation="f",
        class_names=splits.class_names,
        model=ModelSettings(backbone=backbone, image_size=splits.image_size, channels=1 if splits.channels == 1 else 3),
        training=TrainingSettings(local_epochs=1, batch_size=16, crop_padding=1, horizontal_flip=False),
    )
    order = torch.randperm(len(splits.train), generator=generator(0, "images"))[:images]
    some = splits.train.select(order)
    model, found = initial_model(settings), []
    dimension = model.psi.weight.shape[1]
    row_norm = settings.method.row_norm(dimension)
    etf, _ = sparse_etf(settings.num_classes, dimension, row_norm=row_norm, sparsity=0.6, generator=generator(0, "etf"))
    for number in (1, 2):
        outcome = run_round(
            model,
            etf=etf,
            data=DeviceData(train=some, held_out=some),
            settings=settings,
            round_number=number,
            client="c",
            device=torch.device("cpu"),
            personal=None,
        )
        found.append(outcome.delta)
        model = _moved(model, outcome.delta)
    return found


def _moved(model: SharedModel, delta: Tensors) -> SharedModel:
    return unpack({name: tensor + delta[name] for name, tensor in pack(model).items()})


def timed(work: Callable[[], Value]) -> tuple[Value, float]:
    """Return a piece of work's result and its median processor seconds."""
    times = []
    for _ in range(TURNS):
        begin = time.thread_time()
        value = work()
        times.append(time.thread_time() - begin)
    return value, statistics.median(times)


def measure(delta: Tensors) -> dict[str, Any]:
    """Encode and decode in every way."""
    plain = encode(delta)
    zeros = sum(int((tensor == 0).sum()) for tensor in delta.values()) / sum(t.numel() for t in delta.values())
    found: dict[str, Any] = {"bytes": len(plain), "zeros": zeros}
    packed, seconds = timed(lambda: zstandard.ZstdCompressor(level=LEVEL).compress(plain))
    found["plain zstd"] = {"share": len(packed) / len(plain), "encode_mb_s": len(plain) / MB / seconds}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "update"
        for codec in get_args(Codec):
            found[codec] = _codec(delta, codec, path)
            found[codec]["share"] = path.stat().st_size / len(plain)
    return found


def _codec(delta: Tensors, codec: Codec, path: Path) -> dict[str, float]:
    shapes = {name: tensor.shape for name, tensor in delta.items()}
    flat = torch.cat([tensor.flatten() for tensor in delta.values()]).double()
    size = 4 * len(flat)
    payload, encoding = timed(lambda: encode_update(delta, codec))
    path.write_bytes(payload)
    back, decoding = timed(lambda: dict(decode_update(path, codec, shapes=shapes)))
    error = torch.cat([(back[name] - tensor).flatten() for name, tensor in delta.items()]).double().norm()
    return {
        "encode_mb_s": size / MB / encoding,
        "decode_mb_s": size / MB / decoding,
        "relative_error": float(error / flat.norm()),
    }


def main() -> None:
    """Run and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--backbone", default="resnet8")
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    found = deltas(options.data, options.backbone, options.images)
    result = {"images": options.images, "round_1": measure(found[0]), "round_2": measure(found[1])}
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = f"{options.backbone}-{options.data.partition(':')[0]}"
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
