"""What a Predictor with many clients costs, beside as many independent sessions.

Each way runs in a process of its own, three times in turn: resident memory grown, seconds to open all, and milliseconds
for one image. ``python -m benchmarks.many_heads [--clients 100] [--backbone resnet18] [--size 32] [--classes 100]``
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from edge.serving import Predictor
from edge.serving.opener import Opener
from export.bundle import Bundle, Provenance
from export.publish import export_model, random_images
from export.split import write_backbone, write_heads
from shared.backbones import build_backbone
from shared.heads import Head
from shared.settings import ModelSettings
from shared.tensors import shared_state

RESULTS = Path(__file__).parent / "results" / "many_heads"
REPEATS = 3
CALLS = 60
DIGEST = "0" * 64


def main() -> None:
    """Prepare the files, measure both ways in turn, print and keep the table."""
    options = arguments()
    if options.way:
        print(json.dumps(measure(options.way, Path(options.folder), options.clients, options.size)))
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{options.backbone}-{options.size}px-{options.classes}c-{options.clients}.json"
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            sizes = prepare(Path(folder), options)
            found = [
                {"way": way, **child(way, folder, options)} for _ in range(REPEATS) for way in ("one", "independent")
            ]
        result = {"options": vars(options), "threads": 1, "files": sizes, "runs": found}
        path.write_text(json.dumps(result, indent=1) + "\n")
    show(json.loads(path.read_text()))


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--way", default="")
    parser.add_argument("--folder", default="")
    return parser.parse_args()


def prepare(folder: Path, options: argparse.Namespace) -> dict[str, int]:
    """Write the split export, and one single file that every independent session opens by a name of its own."""
    model = ModelSettings(backbone=options.backbone, image_size=options.size, channels=3)
    module = build_backbone(options.backbone, image_size=options.size, channels=3, seed=1)
    draws = torch.Generator().manual_seed(1)
    backbone, names = shared_state(module), tuple(f"class {label}" for label in range(options.classes))
    images = random_images(model, names, count=16)

    def bundle(client: str) -> Bundle:
        weight = torch.randn(options.classes, module.feature_dim, generator=draws) / 8
        return Bundle(
            kind="personal",
            rule="phi",
            class_names=names,
            model=model,
            provenance=Provenance(
                federation="benchmark", round=1, client=client, shared_digest=DIGEST, etf_digest=DIGEST
            ),
            backbone=backbone,
            head=Head(weight=weight),
        )

    source = {"images": images, "images_source": "seeded-random:0"}
    bundles = [bundle(f"client-{number}") for number in range(options.clients)]
    write_backbone(folder / "split", bundles[0], **source)
    write_heads(folder / "split", bundles, **source)
    export_model(bundles[0], path=folder / "single" / "0.onnx", **source)
    for number in range(1, options.clients):
        for end in ("", ".json"):
            os.link(folder / "single" / f"0.onnx{end}", folder / "single" / f"{number}.onnx{end}")
    heads = list((folder / "split" / "heads").iterdir())
    return {
        "split": sum(path.stat().st_size for path in (folder / "split").iterdir() if path.is_file())
        + sum(path.stat().st_size for path in heads),
        "heads": sum(path.stat().st_size for path in heads if path.suffix == ".onnx"),
        "certificates": sum(path.stat().st_size for path in heads if path.suffix == ".json"),
        "one_single_file": (folder / "single" / "0.onnx").stat().st_size,
    }


def child(way: str, folder: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure in a fresh process."""
    words = [sys.executable, __file__, "--way", way, "--folder", folder]
    words += ["--clients", str(options.clients), "--size", str(options.size)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(way: str, folder: Path, clients: int, size: int) -> dict[str, float]:
    """Open everything, answer one image per client, then time single images."""
    image = np.zeros((1, 3, size, size), np.uint8)
    # The runtime's own cost is no model's; a head is too small to leave freed memory behind for what is measured.
    Opener("cpu", threads=1).open((folder / "split" / "heads" / "client-0.onnx").read_bytes(), {})
    before, started = resident(), time.perf_counter()
    if way == "one":
        predictor = Predictor(folder / "split", device="cpu")
        calls = [(predictor, f"client-{number}") for number in range(clients)]
    else:
        calls = [(Predictor(folder / "single" / f"{number}.onnx", device="cpu"), None) for number in range(clients)]
    for served, client in calls:
        served.predict(image, client=client)
    opened, grown = time.perf_counter() - started, resident() - before
    times = []
    for number in range(CALLS):
        served, client = calls[number % clients]
        started = time.perf_counter()
        served.predict(image, client=client)
        times.append(1000 * (time.perf_counter() - started))
    return {
        "mib": grown / 2**20,
        "open_seconds": opened,
        "ms_p50": statistics.median(times),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def resident() -> int:
    """Return this process's resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def show(result: dict) -> None:
    """Print the table."""
    for way in ("one", "independent"):
        runs = [run for run in result["runs"] if run["way"] == way]
        parts = [
            f"{name} {statistics.median(run[name] for run in runs):.1f}"
            f" ({min(run[name] for run in runs):.1f} to {max(run[name] for run in runs):.1f})"
            for name in ("mib", "open_seconds", "ms_p50")
        ]
        print(f"{way}: {', '.join(parts)}")
    print(result["files"])


if __name__ == "__main__":
    main()
