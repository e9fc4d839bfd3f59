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
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.broker import Broker, mosquitto
from cloud.settings import BrokerSettings, FederationFile, ParticipationSettings, StoreSettings
from cloud.store.sql import open_reader
from cloud.template import render
from shared.blobs import BlobStore
from shared.encoding import encode_update
from shared.errors import StoreError
from shared.exchange import Arrived, Exchange, Received
from shared.join import JoinFile, read_join
from shared.messages import (
    ClientFigures,
    Command,
    FinalReport,
    FinishTask,
    Goodbye,
    Manifest,
    Presence,
    TrainTask,
    UpdateOffer,
    Welcome,
    decode_message,
)
from shared.model import initial_model, pack
from shared.mqtt import connect
from shared.settings import ModelSettings
from shared.topics import agent_filters

RESULTS = Path(__file__).parent / "results" / "light_round"


class LightAgent:
    """A client that trains nothing."""

    def __init__(self, join: JoinFile, client: str, folder: Path, blobs: BlobStore, update: Manifest) -> None:
        self.client = client
        self.update = update
        transport = connect(join.endpoint(), client_id=client, filters=agent_filters(join.federation, client))
        self.exchange = Exchange(
            transport, federation=join.federation, outgoing="up", blobs=blobs, spool=BlobStore(folder / client)
        )
        self.exchange.offer(update.blob, codec=update.codec)
        self.task: TrainTask | None = None

    def run(self) -> None:
        """Serve until the goodbye."""
        self.say(Presence(client=self.client, state="online", session="light"))
        while True:
            event = self.exchange.poll(1.0)
            if isinstance(event, Arrived):
                self.answer()
            elif isinstance(event, Received) and event.channel == "cmd":
                message: Any = decode_message(event.payload, Command)
                if isinstance(message, Welcome):
                    self.say(Presence(client=self.client, state="ready", session="light"))
                elif isinstance(message, TrainTask):
                    self.task = message
                    self.exchange.pull(self.client, message.model, timeout_seconds=600, wave=message.wave)
                elif isinstance(message, FinishTask):
                    figures = ClientFigures(num_images=0)
                    self.say(
                        FinalReport(
                            client=self.client, round=message.round, figures=figures, onnx="0" * 64, head_note="light"
                        )
                    )
                elif isinstance(message, Goodbye):
                    return

    def answer(self) -> None:
        """Offer the canned update for the round whose model has come."""
        if self.task is None or self.task.model.blob not in self.exchange.spool:
            return
        self.say(
            UpdateOffer(
                client=self.client,
                round=self.task.round,
                base=self.task.model.blob,
                num_examples=10,
                payload=self.update,
                figures=ClientFigures(num_images=0),
            )
        )
        self.exchange.spool.discard(self.task.model.blob)
        self.task = None

    def say(self, message: Any) -> None:
        """Send as an agent does."""
        self.exchange.send(self.client, "status" if isinstance(message, Presence) else "manifest", message)


def be_agents(join_file: str, folder: str, settings: FederationFile, count: int) -> None:
    """Be the process of all agents."""
    torch.set_num_threads(1)
    shared = settings.shared()
    draws = torch.Generator().manual_seed(0)
    delta = {name: 1e-3 * torch.randn(t.shape, generator=draws) for name, t in pack(initial_model(shared)).items()}
    blobs = BlobStore(Path(folder) / "canned")
    updates = []
    for number in range(count):  # each of its own, or the coordinator would need to pull one only
        delta["psi.weight"].flatten()[0] = number
        updates.append(blobs.put(encode_update(delta, shared.update.codec)))
    del delta
    join = read_join(Path(join_file))
    threads = []
    for number, blob in enumerate(updates):
        exchange_folder = Path(folder) / "agents"
        manifest = _manifest(blobs, blob, settings)
        light = LightAgent(join, f"light-{number:03d}", exchange_folder, blobs, manifest)
        threads.append(threading.Thread(target=light.run, daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _manifest(blobs: BlobStore, blob: str, settings: FederationFile) -> Manifest:
    from shared.chunks import describe  # noqa: PLC0415 - only here

    return describe(blobs.path(blob), codec=settings.update.codec)


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
            target=be_agents, args=(str(join_file), name, settings, agents), daemon=True
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
