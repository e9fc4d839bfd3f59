"""Five demos, seeds 0 to 4: is a personal model better than one trained alone, and than the generic one?

Run:  python -m benchmarks.demo_seeds             (about two minutes a seed on two cores)
      python -m benchmarks.demo_seeds --table
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "demo"
SEEDS = range(5)
MODELS = ("alone", "generic", "personal")


def run(seed: int) -> None:
    """Run one demo and keep its result without paths of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "shared.cli", "demo", "--seed", str(seed), "--out", f"{folder}/demo", "--json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)["data"]
    for model in result["models"]:
        model["path"] = str(Path(model["path"]).relative_to(Path(folder).resolve() / "demo"))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"seed-{seed}.json").write_text(json.dumps(result, indent=1) + "\n")


def table() -> str:
    """Return per seed the mean over clients of the three models, the spread over clients, GM and time."""
    lines = [
        "| seed | alone | generic | personal | personal - alone | personal - generic | GM | seconds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    gains: dict[str, list[float]] = {"alone": [], "generic": []}
    for seed in SEEDS:
        path = RESULTS / f"seed-{seed}.json"
        if not path.exists():
            lines.append(f"| {seed} | not run | | | | | | |")
            continue
        result = json.loads(path.read_text())
        clients = result["pm"]["per_client"]
        values = {name: [100 * client[name] for client in clients] for name in MODELS}
        means = {name: statistics.fmean(values[name]) for name in MODELS}
        cells = [f"{means[name]:.1f} ± {statistics.pstdev(values[name]):.1f}" for name in MODELS]
        for baseline, found in gains.items():
            found.append(means["personal"] - means[baseline])
            cells.append(f"{found[-1]:+.1f}")
        lines.append(
            f"| {seed} | " + " | ".join(cells) + f" | {100 * result['gm']['accuracy']:.1f} | {result['seconds']:.0f} |"
        )
    if all(gains.values()):
        over = [f"{statistics.fmean(found):+.1f} ± {statistics.stdev(found):.1f}" for found in gains.values()]
        lines.append(f"| mean | | | | {over[0]} | {over[1]} | | |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    for seed in SEEDS:
        if not arguments.table and not (RESULTS / f"seed-{seed}.json").exists():
            run(seed)
    print(table())


if __name__ == "__main__":
    main()
