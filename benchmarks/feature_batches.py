"""Time the feature pass of evaluation: batch size, and BatchNorm folded in or not, against batches of 256 without.

Run as ``OMP_NUM_THREADS=1 python -m benchmarks.feature_batches``; prints one line per variant, the smallest and the
median processor time of rounds in which the variants take turns, so that a busy machine slows them alike.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from shared.backbones import build_backbone
from shared.folding import folded

IMAGES, ROUNDS, BATCHES = 512, 5, (8, 32, 64, 256)


def milliseconds(network: nn.Module, images: torch.Tensor, batch: int) -> float:
    """Return the processor time of one image."""
    started = time.process_time()
    with torch.inference_mode():
        for part in images.split(batch):
            network(part)
    return 1000 * (time.process_time() - started) / len(images)


def main() -> None:
    """Measure all variants in turn and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet8")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = options.image_size
    plain = build_backbone(options.backbone, image_size=size, channels=3, seed=0).eval()
    networks = {"plain": plain, "folded": folded(plain)}
    networks = {name: network.to(memory_format=torch.channels_last) for name, network in networks.items()}
    images = torch.randn(options.images, 3, size, size).contiguous(memory_format=torch.channels_last)
    variants = [(name, batch) for name in networks for batch in BATCHES if batch <= options.images]
    times: dict[tuple[str, int], list[float]] = {variant: [] for variant in variants}
    for _ in range(ROUNDS):
        for name, batch in variants:
            times[name, batch].append(milliseconds(networks[name], images, batch))
    print(f"{options.backbone}, {size} pixels, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}")
    for (name, batch), values in times.items():
        print(
            f"{name:7} batch {batch:3}  min {min(values):7.3f} ms  median {statistics.median(values):7.3f} ms an image"
        )


if __name__ == "__main__":
    main()
