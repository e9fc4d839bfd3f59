"""One backbone, many heads: what should gamma, the optimiser, psi, phi and the prediction rules be?

psi and phi learn on features that do not feel them, so one training run carries any number of them beside each other.
Everything is measured on a pool of training images that no client gets (``measured_on = "validation"``): no test image
is read. A finished run is one JSON file and is never run again.

Run:  OMP_NUM_THREADS=1 python -m benchmarks.heads base lr-0.1 --data folder:DIR   (variants; all without any)
      python -m benchmarks.heads --table
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.heads_study import WEIGHTS, Study
from benchmarks.heads_variants import VARIANTS, Variant
from cloud.lab.setting import client_names
from shared.data import read
from shared.protocol import Protocol
from shared.shards import deal

RESULTS = Path(__file__).parent / "results" / "heads"
AVERAGES = (0.7, 0.85)
"""Decay per round of an exponential average of the shared model."""


def run(name: str, variant: Variant, data: str, seed: int) -> dict[str, object]:
    """Train one variant, measured every ten rounds, with the averaged models beside the last one."""
    torch.set_num_threads(1)
    started = time.monotonic()
    splits = read(data)
    shards = deal(
        splits,
        clients=client_names(40),
        imbalance_factor=100.0,
        alpha=0.5,
        seed=seed,
        protocol=Protocol(measured_on="validation"),
    )
    study, averages, curve = Study(variant, shards, seed), {}, {}
    for number in range(1, variant.rounds + 1):
        study.round(number)
        for decay in AVERAGES:
            last = averages.get(decay, study.packed())
            averages[decay] = {key: decay * last[key] + (1 - decay) * tensor for key, tensor in study.packed().items()}
        if number % 10 == 0:
            curve[str(number)] = study.measure(study.packed())
            curve |= {f"{number}, average {decay}": study.measure(tensors) for decay, tensors in averages.items()}
            print(f"{name}: round {number}, GM of S {100 * curve[str(number)]['generic']['S'][0]:.1f} %", flush=True)
    seconds = round(time.monotonic() - started, 1)
    return {"variant": asdict(variant), "data": data, "seed": seed, "curve": curve, "seconds": seconds}


def table(seed: int, point: str) -> str:
    """Return the variants' main figures as Markdown; a variant without its run says so."""
    heads = ("variant", "GM (S)", "head", "medium", "tail", "PM, S + log prior", "best weight of the prior")
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
    for name in VARIANTS:
        path = RESULTS / f"{name}-{seed}.json"
        if not path.exists():
            lines.append(f"| {name} | missing | | | | | |")
            continue
        found = json.loads(path.read_text())["curve"][point]
        figures = [f"{100 * value:.1f}" for value in found["generic"]["S"]]
        personal = {key: row[0] for key, row in found["personal"].items()}
        best = max(WEIGHTS, key=lambda weight: personal[f"S + {weight:g} log prior"])
        plain, tuned = personal["S + 1 log prior"], personal[f"S + {best:g} log prior"]
        figures += [f"{100 * plain:.1f}", f"{best:g}: {100 * tuned:.1f}"]
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", help=f"some of: {', '.join(VARIANTS)}")
    parser.add_argument("--data", default="", help="folder:DIR with CIFAR-10's images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--point", default="40", help="round to print")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.variants if name not in VARIANTS]
    if unknown or not (arguments.table or arguments.data):
        sys.exit(f"unknown variants: {unknown}" if unknown else "--data folder:DIR is needed, or --table")
    for name in [] if arguments.table else arguments.variants or VARIANTS:
        path = RESULTS / f"{name}-{arguments.seed}.json"
        if not path.exists():
            result = run(name, VARIANTS[name], arguments.data, arguments.seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=1) + "\n")
    print(table(arguments.seed, arguments.point))


if __name__ == "__main__":
    main()
