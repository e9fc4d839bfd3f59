"""The weighted mean: does its memory grow with the number of updates, and what does it cost beside bare arithmetic?

Run:  python -m benchmarks.aggregate

Memory: 10 and 1,000 updates of a ResNet-18 (44.7 MB) are folded from files, each count in a process of its own; the
peak of resident memory is compared. Half of the updates are compressed, as they travel by default.
Throughput: one update folded from memory, checks included, against a float64 and a float32 multiply-add of torch over
the same elements, taking turns; and folded from a file, plain and compressed, so that the cost of decoding is seen.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cloud.aggregate import WeightedMean
from shared.encoding import decode_update, encode_update
from shared.model import initial_model, pack
from shared.settings import Codec, ModelSettings, SharedSettings

RESULTS = Path(__file__).parent / "results" / "aggregate"
TURNS = 15
WEIGHT = 7


def model() -> dict[str, Tensor]:
    """Return a ResNet-18's shared tensors."""
    names = tuple(map(str, range(10)))
    settings = SharedSettings(federation="f", class_names=names, model=ModelSettings(backbone="resnet18"))
    return pack(initial_model(settings))


def write_updates(folder: Path, like: dict[str, Tensor]) -> None:
    """Write one update plain and one compressed."""
    draws = torch.Generator().manual_seed(0)
    delta = {name: 1e-3 * torch.randn(tensor.shape, generator=draws) for name, tensor in like.items()}
    for codec in ("safetensors", "fp32+zstd"):
        (folder / codec).write_bytes(encode_update(delta, codec))


def peak_mib(folder: str, count: int) -> float:
    """Fold so many updates in a process of its own; return its peak of resident memory."""
    torch.set_num_threads(1)
    like = model()
    mean = WeightedMean(like)
    shapes = {name: tensor.shape for name, tensor in like.items()}
    codecs: tuple[Codec, Codec] = ("safetensors", "fp32+zstd")
    for number in range(count):
        codec = codecs[number % 2]
        mean.fold(decode_update(Path(folder) / codec, codec, shapes=shapes), WEIGHT)
    mean.result()
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024  # not ru_maxrss, which a process inherits from the one that started it


def measured(pieces: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median processor seconds of each, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in pieces}
    for _ in range(TURNS):
        for name, piece in pieces.items():
            begin = time.thread_time()  # the processor's time: the machine is shared
            piece()
            times[name].append(time.thread_time() - begin)
    return {name: statistics.median(found) for name, found in times.items()}


def throughput(folder: Path) -> dict[str, Any]:
    """Return median seconds per update, and ratios."""
    torch.set_num_threads(1)
    like = model()
    shapes = {name: tensor.shape for name, tensor in like.items()}
    delta = dict(decode_update(folder / "safetensors", "safetensors", shapes=shapes))
    mean, wide = WeightedMean(like), {name: tensor.double() for name, tensor in delta.items()}
    sums = {name: torch.zeros_like(tensor) for name, tensor in wide.items()}
    small = {name: torch.zeros_like(tensor) for name, tensor in delta.items()}

    def from_file(codec: Codec) -> Callable[[], None]:
        return lambda: mean.fold(decode_update(folder / codec, codec, shapes=shapes), WEIGHT)

    seconds = measured(
        {
            "float64_multiply_add": lambda: [sums[name].add_(wide[name], alpha=WEIGHT) for name in sums],
            "float32_multiply_add": lambda: [small[name].add_(delta[name], alpha=WEIGHT) for name in small],
            "fold": lambda: mean.fold(delta.items(), WEIGHT),
            "fold_from_file": from_file("safetensors"),
            "fold_from_compressed_file": from_file("fp32+zstd"),
        }
    )
    base, small_base = seconds["float64_multiply_add"], seconds["float32_multiply_add"]
    return {
        "elements": sum(tensor.numel() for tensor in like.values()),
        "median_processor_seconds": seconds,
        "against_float64": {name: base / found for name, found in seconds.items()},
        "against_float32": {name: small_base / found for name, found in seconds.items()},
    }


def main() -> None:
    """Run and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_updates(Path(name), model())
        result = {"throughput": throughput(Path(name))}
        print(json.dumps(result, indent=1), flush=True)
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = {str(count): pool.apply(peak_mib, (name, count)) for count in (10, options.many)}
    few, many = peaks.values()
    result["memory"] = {"peak_mib": peaks, "ratio": many / few}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "resnet18.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["memory"]))


if __name__ == "__main__":
    main()
