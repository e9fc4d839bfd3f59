"""How much faster the product is than the slow obvious way, side by side on one thread.

    python -m benchmarks.speed [--data folder:DIR] [--repetitions 3] [--table]

Each repetition runs both ways in turn, the other one first every other time, and leaves one JSON in
``benchmarks/results/speed/``; a repetition that is there is never run again. Ratios are of processor time, which a busy
machine changes least; wall time is kept beside it.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from benchmarks.adam_frame import ROW_NORM, SPARSITY, adam_frame
from benchmarks.calibration import (
    Calibration,
    fast_evaluation,
    fast_round,
    generic_heads,
    personal_heads,
    prepare,
)
from shared.angles import pairwise_angles
from shared.etf import sparse_etf
from shared.seeds import generator
from tests.slow_reference import SlowFigures, SlowRound, slow_evaluation, slow_round

RESULTS = Path(__file__).parent / "results" / "speed"
CLASSES, FEATURES = 100, 512
CALLS = 10
"""Of the product's way to the frozen classifier per repetition: a third of a second alone says little."""
REQUIRED = {"round": 3.0, "evaluation": 6.0, "frame": 50.0}
TITLES = {
    "training": "training and averaging a round",
    "evaluation": "evaluation: GM, and both models on every client's test",
    "round": "the whole round: training, averaging, evaluation",
    "frame": "SSE-C, 100 classes on 512 features",
}

Result = TypeVar("Result")


def clock(work: Callable[[], Result]) -> tuple[Result, dict[str, float]]:
    """Return what the work returns, and its seconds of processor and of wall time."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, {"cpu": time.process_time() - processor, "wall": time.perf_counter() - wall}


def pair(
    repetition: int, slow: Callable[[], Result], fast: Callable[[], Result]
) -> tuple[Result, Result, dict[str, dict[str, float]]]:
    """Run both ways, the other one first every other repetition."""
    if repetition % 2:
        quick, fast_time = clock(fast)
        plain, slow_time = clock(slow)
    else:
        plain, slow_time = clock(slow)
        quick, fast_time = clock(fast)
    return plain, quick, {"reference": slow_time, "product": fast_time}


def measure_round(setting: Calibration, repetition: int) -> dict[str, Any]:
    """Time training, evaluation and their sum."""

    def slow() -> SlowRound:
        return slow_round(
            setting.model,
            etf=setting.etf,
            phis=setting.phis,
            clients=setting.participants,
            settings=setting.settings,
            round_number=1,
        )

    _, quick, training = pair(repetition, slow, lambda: fast_round(setting, setting.participants))
    model = quick.model
    personal = personal_heads(setting, model)
    found: dict[str, Any] = {"training": training}
    generic = generic_heads(setting, model)

    def slow_figures() -> SlowFigures:
        return slow_evaluation(
            model,
            generic=generic,
            personal=personal,
            clients=setting.shards.clients,
            evaluation=setting.shards.evaluation,
            settings=setting.settings,
        )

    slow_found, fast_found, found["evaluation"] = pair(
        repetition, slow_figures, lambda: fast_evaluation(setting, model, generic, personal)
    )
    for side, figures in (("reference", slow_found), ("product", fast_found)):
        found["evaluation"][side]["gm"] = next(iter(figures.gm.values()))
        found["evaluation"][side]["pm"] = statistics.fmean(figures.personal.values())
    found["round"] = {
        side: {clock: training[side][clock] + found["evaluation"][side][clock] for clock in ("cpu", "wall")}
        for side in ("reference", "product")
    }
    found["images"] = {
        "trained": sum(len(client.train) for client in setting.participants),
        "measured": len(setting.shards.test),
    }
    return found


def measure_frame(repetition: int) -> dict[str, Any]:
    """Time both ways to the frozen classifier, and the variance of its angles in square degrees."""

    def fast() -> torch.Tensor:
        for _ in range(CALLS):
            random = generator(repetition, "etf")
            frame = sparse_etf(CLASSES, FEATURES, row_norm=ROW_NORM, sparsity=SPARSITY, generator=random)[0]
        return frame

    slow, quick, found = pair(repetition, lambda: adam_frame(CLASSES, FEATURES, generator(repetition, "adam")), fast)
    found["product"] = {name: seconds / CALLS for name, seconds in found["product"].items()}
    for side, frame in (("reference", slow), ("product", quick)):
        found[side]["angle_variance"] = float(pairwise_angles(frame.double()).var(correction=0))
    return found


def run(source: str, repetition: int, setting: Calibration | None) -> Calibration:
    """Run one repetition and write its file."""
    setting = warmed_up(prepare(source)) if setting is None else setting
    found: dict[str, Any] = {"frame": measure_frame(repetition), **measure_round(setting, repetition)}
    found["torch"], found["processor"] = torch.__version__, processor_name()
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{repetition}.json").write_text(json.dumps(found, indent=1) + "\n")
    return setting


def warmed_up(setting: Calibration) -> Calibration:
    """Run both ways on the smallest client: what loads with a first call is loaded."""
    smallest = [min(setting.shards.clients, key=lambda client: len(client.train))]
    arguments: dict[str, Any] = {"etf": setting.etf, "settings": setting.settings, "round_number": 1}
    slow_round(setting.model, phis=setting.phis, clients=smallest, **arguments)
    fast_round(setting, smallest)
    return setting


def processor_name() -> str:
    """Return the processor's name and the widest vectors torch uses."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {torch.backends.cpu.get_cpu_capability()}"


def table(runs: list[dict[str, Any]]) -> str:
    """Return mean ratios with their range as Markdown."""
    lines = ["| what | reference, s | product, s | ratio (range) | required |", "|---|--:|--:|--:|--:|"]
    for name, title in TITLES.items():
        slow = [run[name]["reference"]["cpu"] for run in runs]
        fast = [run[name]["product"]["cpu"] for run in runs]
        ratios = [a / b for a, b in zip(slow, fast, strict=True)]
        wanted = f"{REQUIRED[name]:g}" if name in REQUIRED else ""
        lines.append(
            f"| {title} | {statistics.fmean(slow):.2f} | {statistics.fmean(fast):.2f} "
            f"| {statistics.fmean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {wanted} |"
        )
    variances = {side: max(run["frame"][side]["angle_variance"] for run in runs) for side in ("reference", "product")}
    lines.append("")
    lines.append(
        f"{len(runs)} repetitions, {runs[0]['processor']}, torch {runs[0]['torch']}. Largest angle variance: "
        f"{variances['reference']:.2g} against {variances['product']:.2g} square degrees."
    )
    return "\n".join(lines)


def finished() -> list[dict[str, Any]]:
    """Return the repetitions that were run."""
    return [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="folder:~/data/cifar10-images")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    setting = None
    for repetition in range(arguments.repetitions):
        if not arguments.table and not (RESULTS / f"{repetition}.json").exists():
            setting = run(arguments.data, repetition, setting)
    runs = finished()
    print(table(runs) if runs else "nothing measured yet")
    if len(runs) < arguments.repetitions:
        print(f"{len(runs)} of {arguments.repetitions} repetitions")


if __name__ == "__main__":
    main()
