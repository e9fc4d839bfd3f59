"""Bytes of 1,000 personal models of one ResNet-18 federation as a split export; one JSON when it is done.

    python -m benchmarks.split_size [CLIENTS]

Every head is written, certified behind the backbone on eight seeded random images, and counted. Weights are random.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.export_latency import model
from export.bundle import Bundle
from export.graph import to_onnx
from export.layout import HEADS
from export.publish import random_images
from export.split import write_backbone, write_heads
from shared.heads import Head

RESULT = Path(__file__).parent / "results" / "split_size.json"
SOURCE = "seeded-random:0"


def clients(shared: Bundle, count: int) -> Iterator[Bundle]:
    """Yield one personal model per client: its own head with a prior, every second one masked."""
    draw = torch.Generator().manual_seed(0)
    classes, features = shared.head.weight.shape
    for index in range(count):
        keep = torch.rand(classes, generator=draw) < 0.7
        keep[0] = True
        head = Head(
            weight=torch.randn(classes, features, generator=draw),
            bias=torch.randn(classes, generator=draw),
            keep=keep if index % 2 else None,
        )
        who = replace_client(shared, f"client-{index:04d}")
        yield replace(shared, kind="personal", rule="etf+prior", head=head, provenance=who)


def replace_client(shared: Bundle, client: str) -> object:
    """Return the shared model's provenance as a client's."""
    import msgspec  # noqa: PLC0415

    return msgspec.structs.replace(shared.provenance, client=client)


def main(count: int) -> None:
    """Write them, count them."""
    shared = model("resnet18", 32, 3)
    images = random_images(shared.model, shared.class_names, count=8)
    one = len(to_onnx(shared))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_backbone(folder, shared, images=images, images_source=SOURCE)
        start = time.monotonic()
        records = write_heads(folder, clients(shared, count), images=images, images_source=SOURCE)
        seconds = time.monotonic() - start
        sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
        heads = [size for path, size in sizes.items() if path.parent.name == HEADS and path.suffix == ".onnx"]
        certificates = sum(size for path, size in sizes.items() if path.suffix == ".json")
    numbers = 4 * shared.head.weight.numel()
    found = {
        "clients": count,
        "one_single_file_bytes": one,
        "all_bytes": sum(sizes.values()),
        "head_bytes": sum(heads),
        "certificate_bytes": certificates,
        "largest_head_beside_its_numbers": max(heads) - numbers,
        "rest_over_one": (sum(sizes.values()) - sum(heads) - certificates) / one,
        "seconds_per_head": seconds / count,
        "worst_error_over_bound": max(record.parity.max_abs_error / record.parity.bound for record in records),
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
