"""Latency of exported models beside PyTorch, for each backbone and image size; one JSON per finished run.

    python -m benchmarks.export_latency [NAME ...] [--into FOLDER]

Batch 1 for all; batch 8 and 64, and memory, for ResNet-8. Weights are random: they do not change the time.
Runs that stand in the folder below benchmarks/results/ are skipped; delete a file to repeat its run.
"""

import argparse
from pathlib import Path

import msgspec
import torch

from export.bench import bench
from export.bundle import Bundle, Provenance
from export.plot import plot
from shared.backbones import build_backbone
from shared.heads import Head
from shared.settings import ModelSettings
from shared.tensors import shared_state

RESULTS = Path(__file__).parent / "results"
RUNS = {
    "resnet8-8": ("resnet8", 8, 1),
    "resnet8-32": ("resnet8", 32, 3),
    "resnet20-32": ("resnet20", 32, 3),
    "resnet18-stem3-32": ("resnet18-stem3", 32, 3),
    "resnet18-stem7-32": ("resnet18-stem7", 32, 3),
    "resnet18-224": ("resnet18", 224, 3),
    "squeezenet1_1-64": ("squeezenet1_1", 64, 3),
    "squeezenet1_1-224": ("squeezenet1_1", 224, 3),
}
BATCHES = (1, 8, 64)
NUM_CLASSES = 10


def model(backbone: str, image_size: int, channels: int) -> Bundle:
    """Return a model with seeded random weights and BatchNorm statistics of real activations."""
    settings = ModelSettings(backbone=backbone, image_size=image_size, channels=channels)
    module = build_backbone(backbone, image_size=image_size, channels=channels, seed=0)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        module(torch.randn(8, channels, image_size, image_size, generator=draw))
    return Bundle(
        kind="generic",
        rule="psi",
        class_names=tuple(f"class {index}" for index in range(NUM_CLASSES)),
        model=settings,
        provenance=Provenance(
            federation="benchmark", round=0, client=None, shared_digest="0" * 64, etf_digest="0" * 64
        ),
        backbone=shared_state(module),
        head=Head(weight=torch.randn(NUM_CLASSES, module.feature_dim, generator=draw)),
    )


def main() -> None:
    """Run what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(RUNS)}")
    parser.add_argument("--into", default="export_latency", help="folder below results/, such as one per processor")
    arguments = parser.parse_args()
    folder = RESULTS / arguments.into
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or RUNS:
        path = folder / f"{name}.json"
        if path.exists():
            continue
        backbone, image_size, channels = RUNS[name]
        batches = BATCHES if backbone == "resnet8" else BATCHES[:1]
        result = bench(
            model(backbone, image_size, channels), batches=batches, seconds=4.0, memory=backbone == "resnet8"
        )
        path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
        path.with_suffix(".svg").write_text(plot(result))
        best = {f"{row.name}, batch {row.batch}": round(row.timing.cpu_speedup, 2) for row in result.rows}
        print(name, best, flush=True)


if __name__ == "__main__":
    main()
