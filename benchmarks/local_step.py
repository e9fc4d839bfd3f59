"""Time one local training step: number format, memory layout and optimiser, each against plain fp32.

Run as ``OMP_NUM_THREADS=1 python -m benchmarks.local_step``; prints one line per variant, median of rounds in which the
variants take turns, so that a busy machine slows them alike.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from edge.head_training import parameters, trainable
from shared.backbones import build_backbone
from shared.heads import Head
from shared.methods.fedloge import local_loss
from shared.methods.recipe import LocalHeads

CLASSES = 10
ROUNDS = 7


def make_step(
    name: str, *, image_size: int, batch: int, bf16: bool, channels_last: bool, fused: bool, device: torch.device
) -> Callable[[], None]:
    """Return a function that trains one step on a fixed random batch."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    backbone = build_backbone(name, image_size=image_size, channels=3, seed=0)
    backbone.to(device=device, memory_format=layout).train()
    draws = torch.Generator().manual_seed(0)
    size = (CLASSES, backbone.feature_dim)
    frozen, psi, phi = (Head(weight=torch.randn(size, generator=draws) / 4) for _ in range(3))
    frozen = Head(weight=frozen.weight.to(device))
    psi, phi = trainable(psi, device), trainable(phi, device)
    heads = LocalHeads(named={"etf": frozen, "psi": psi, "phi": phi}, log_prior=None)
    images = torch.randn(batch, 3, image_size, image_size, generator=draws).to(device).contiguous(memory_format=layout)
    labels = torch.randint(CLASSES, (batch,), generator=draws).to(device)
    leaves = [*backbone.parameters(), *parameters(psi), *parameters(phi)]
    optimizer = torch.optim.SGD(leaves, lr=1e-4, momentum=0.5, fused=fused)

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            features: Tensor = backbone(images)
        optimizer.zero_grad()
        local_loss(features.float(), labels, heads).backward()
        optimizer.step()

    return step


def milliseconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Return the time of one step."""
    started = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1000 * (time.perf_counter() - started) / steps


def main() -> None:
    """Measure all variants in turn and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="resnet8")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    variants = list(itertools.product((False, True), repeat=3))
    steps = {
        (bf16, last, fused): make_step(
            options.backbone,
            image_size=options.image_size,
            batch=options.batch,
            bf16=bf16,
            channels_last=last,
            fused=fused,
            device=device,
        )
        for bf16, last, fused in variants
    }
    for step in steps.values():
        milliseconds(step, 3, device)
    times: dict[tuple[bool, ...], list[float]] = {variant: [] for variant in variants}
    for _ in range(ROUNDS):
        for variant in variants:
            times[variant].append(milliseconds(steps[variant], options.steps, device))
    plain = statistics.median(times[variants[0]])
    print(f"{options.backbone}, {options.image_size}px, batch {options.batch}, {device}, torch {torch.__version__}")
    for bf16, last, fused in variants:
        median = statistics.median(times[bf16, last, fused])
        names = ("bf16" if bf16 else "fp32", "channels-last" if last else "contiguous", "fused" if fused else "plain")
        label = "{:5}{:14}{:6}".format(*names)
        print(f"{label}  {median:7.2f} ms  {median / plain:5.2f} x")


if __name__ == "__main__":
    main()
