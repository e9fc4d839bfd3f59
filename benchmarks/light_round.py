"""What a round costs beside training: the real coordinator, mosquitto, and agents that answer at once.

Run:  python -m benchmarks.light_round --backbone resnet8      (0.31 MB)
      python -m benchmarks.light_round --backbone resnet18     (44.7 MB)
      python -m benchmarks.light_round --backbone vgg16 --agents 1 --rounds 2

The agents speak the whole protocol over connections of their own, in one process, and offer a canned update in
every round. Counted is the processor time of coordinator, agents and broker between the commits of the first and the
last round, so start-up is excluded; the mean over the rounds is kept.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.broker import Broker, mosquitto
from benchmarks.light_agents import be_agents
from cloud.settings import BrokerSettings, FederationFile, ParticipationSettings, StoreSettings
from cloud.store.sql import open_reader
from cloud.template import render
from shared.errors import StoreError
from shared.settings import ModelSettings

RESULTS = Path(__file__).parent / "results" / "light_round"


def seconds(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Return each process's processor time so far."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


def run(backbone: str, agents: int, rounds: int, image_size: int) -> dict[str, Any]:
    """Run the federation; return the result."""
    with mosquitto() as broker, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = FederationFile(
            federation="light",
            class_names=tuple(map(str, range(10))),
            rounds=rounds,
            model=ModelSettings(backbone=backbone, image_size=image_size),
            participation=ParticipationSettings(clients=agents),
            broker=BrokerSettings(url=broker.endpoint.url),
            store=StoreSettings(folder="state"),
        )
        file = folder / "federation.toml"
        file.write_text(render(settings))
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "shared.cli", "cloud", "start", str(file)]
        coordinator = subprocess.Popen(command, env=environment)
        join_file = folder / "state" / "join.json"
        while not join_file.exists():
            time.sleep(0.1)
        helper = multiprocessing.get_context("spawn").Process(
            target=be_agents, args=(str(join_file), name, settings, 0, agents), daemon=True
        )
        helper.start()
        try:
            return measure(broker, coordinator.pid, int(helper.pid or 0), folder / "state", settings)
        finally:
            coordinator.terminate()
            coordinator.wait(30)
            helper.terminate()
            helper.join(10)


def measure(broker: Broker, coordinator: int, agents: int, state: Path, settings: FederationFile) -> dict[str, Any]:
    """Watch the database; return processor time per round."""
    processes = {
        "coordinator": psutil.Process(coordinator),
        "agents": psutil.Process(agents),
        "broker": broker.process,
    }
    store = None
    while store is None:
        try:
            store = open_reader(f"sqlite:///{state / 'federation.sqlite'}")
        except StoreError:
            time.sleep(0.2)
    samples: list[tuple[float, dict[str, float]]] = []
    while len(samples) < settings.rounds:
        if store.last_committed().round_number > len(samples):
            samples.append((time.perf_counter(), seconds(processes)))
            print(f"round {len(samples)} committed", flush=True)
        time.sleep(0.05)
    (begin, first), (end, last) = samples[0], samples[-1]
    between = settings.rounds - 1
    per_round = {name: (last[name] - first[name]) / between for name in processes}
    row = store.rounds()[-1]
    status = Path(f"/proc/{coordinator}/status").read_text().splitlines()
    (peak,) = [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")]
    parts = [part.record.size_bytes for part in row.participants if part.record is not None]
    return {
        "backbone": settings.model.backbone,
        "agents": settings.participation.clients,
        "rounds_counted": between,
        "model_bytes": (state / "blobs" / row.plan.base_blob).stat().st_size,
        "update_bytes": parts[0],
        "bytes_up": sum(row.bytes_up.values()),
        "bytes_down": sum(row.bytes_down.values()),
        "processor_seconds_per_round": per_round | {"all": sum(per_round.values())},
        "seconds_per_round": (end - begin) / between,
        "coordinator_peak_mib": peak,
        "broker_peak_mib": broker.peak_mib(),
        "cores": os.cpu_count(),
    }


def main() -> None:
    """Run and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="resnet8")
    parser.add_argument("--agents", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--image-size", type=int, default=32)
    options = parser.parse_args()
    result = run(options.backbone, options.agents, options.rounds, options.image_size)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{options.backbone}-{options.agents}-agents.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
