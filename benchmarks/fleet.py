"""Many agents at one coordinator: is anything lost or taken twice, what does it take, and how fast is a restart?

Run:  python -m benchmarks.fleet                  (200 agents)
      python -m benchmarks.fleet --agents 1000

Agents are real paho connections over mosquitto that answer with canned updates of a ResNet-8, 50 to a process. First
three rounds with half of them sampled, after which all report; then one round with all of them; then 50 rounds of ten,
after which the coordinator is killed and started again.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from benchmarks.broker import Broker, mosquitto
from benchmarks.light_agents import be_agents
from cloud.settings import BrokerSettings, FederationFile, ParticipationSettings, StoreSettings
from cloud.store.sql import SqlRoundStore, open_reader
from cloud.template import render
from shared.messages import CoordinatorPresence, decode_message
from shared.mqtt import connect
from shared.settings import ModelSettings
from shared.topics import coordinator_status

RESULTS = Path(__file__).parent / "results" / "fleet"
TOGETHER = 50
"""Agents of one process."""


@dataclass
class Fleet:
    """One federation that runs."""

    folder: Path
    file: Path
    settings: FederationFile
    broker: Broker
    agents: list[Any] = field(default_factory=list)
    coordinator: Any = None

    def start(self) -> None:
        """Start the coordinator."""
        command = [sys.executable, "-m", "shared.cli", "cloud", "start", str(self.file)]
        log = (self.folder / "coordinator.log").open("ab")
        self.coordinator = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)

    def store(self) -> SqlRoundStore:
        """Return the database, opened for reading."""
        return open_reader(f"sqlite:///{self.folder / 'state' / 'federation.sqlite'}")

    def processor_seconds(self) -> dict[str, float]:
        """Return what coordinator, agents and broker took so far."""
        pids = {"coordinator": [self.coordinator.pid], "agents": [int(process.pid) for process in self.agents]}
        taken = {name: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in which) for name, which in pids.items()}
        return taken | {"broker": sum(self.broker.process.cpu_times()[:2])}

    def peak_mib(self) -> float:
        """Return the coordinator's largest resident memory."""
        lines = Path(f"/proc/{self.coordinator.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def fleet(agents: int, rounds: int, fraction: float) -> Iterator[Fleet]:
    """Start a federation with all its agents; end whatever is left of it."""
    with mosquitto() as broker, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = FederationFile(
            federation="light",
            class_names=tuple(map(str, range(10))),
            rounds=rounds,
            model=ModelSettings(backbone="resnet8"),
            participation=ParticipationSettings(clients=agents, fraction=fraction, join_deadline_seconds=900.0),
            broker=BrokerSettings(url=broker.endpoint.url),
            store=StoreSettings(folder="state"),
        )
        file = folder / "federation.toml"
        file.write_text(render(settings))
        running = Fleet(folder, file, settings, broker)
        running.start()
        try:
            join = folder / "state" / "join.json"
            wait(join.exists, 60)
            for first in range(0, agents, TOGETHER):
                count = min(TOGETHER, agents - first)
                process = multiprocessing.get_context("spawn").Process(
                    target=be_agents, args=(str(join), name, settings, first, count), daemon=True
                )
                process.start()
                running.agents.append(process)
            yield running
        finally:
            for process in running.agents:
                process.kill()
            running.coordinator.kill()
            running.coordinator.wait()


def wait(condition: Any, seconds: float) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("took too long")
        time.sleep(0.02)


def whole(agents: int, rounds: int, fraction: float) -> dict[str, Any]:
    """Run a federation to its end; say what was lost or came twice, and what it took."""
    with fleet(agents, rounds, fraction) as running:
        wait((running.folder / "state" / "federation.sqlite").exists, 60)
        store = running.store()
        wait(lambda: len(store.clients()) == agents, 600)
        begin, before = time.perf_counter(), running.processor_seconds()
        wait(lambda: len(store.rounds()) >= rounds and store.last_committed().round_number == rounds, 1800)
        end, after = time.perf_counter(), running.processor_seconds()
        peak = running.peak_mib()
        for process in running.agents:
            process.join(600)
        running.coordinator.wait(60)
        told: dict[str, Any] = {}
        for tally in running.folder.glob("tally-*.json"):
            told |= json.loads(tally.read_text())
        rows = [row for row in store.rounds() if row.plan.round_number > 0]
        parts = [(row.plan.round_number, part) for row in rows for part in row.participants]
        accepted = [(number, part) for number, part in parts if part.state == "accepted"]
        encoded = sum(part.record.size_bytes for _, part in accepted if part.record is not None)
        up = sum(sum(row.bytes_up.values()) for row in rows)
        return {
            "agents": agents,
            "rounds": rounds,
            "selected": len(parts),
            "accepted": len(accepted),
            "updates_carried_twice": sum(
                part.record is not None and row.bytes_up.get(part.client, 0) > 1.5 * part.record.size_bytes
                for row in rows
                for part in row.participants
            ),
            "updates_without_receipt": sum(
                str(number) not in told[part.client]["receipts"] for number, part in accepted
            ),
            "reports": len(list(store.reports())),
            "bytes_up": up,
            "bytes_up_beyond_the_updates": up / encoded - 1,
            "bytes_down": sum(sum(row.bytes_down.values()) for row in rows),
            "seconds_per_round": (end - begin) / rounds,
            "processor_seconds_per_round": {name: (after[name] - before[name]) / rounds for name in before},
            "coordinator_peak_mib": peak,
            "broker_peak_mib": running.broker.peak_mib(),
        }


def restart(agents: int, rounds: int) -> dict[str, float]:
    """Kill the coordinator after so many rounds; return the seconds until it serves again."""
    with fleet(agents, rounds + 1000, 10 / agents) as running:
        wait((running.folder / "state" / "federation.sqlite").exists, 60)
        store = running.store()
        wait(lambda: store.last_committed().round_number >= rounds, 1800)
        ear = connect(running.broker.endpoint, client_id="ear", filters=[coordinator_status("light")])
        running.coordinator.send_signal(signal.SIGKILL)
        running.coordinator.wait()
        known = store.last_committed().round_number
        begin, session = time.perf_counter(), ""
        running.start()
        while True:
            message = ear.receive(60.0)
            if message is None:
                raise SystemExit("it does not come back")
            presence = decode_message(message.payload, CoordinatorPresence)
            if presence.state == "up" and time.perf_counter() - begin > 0.3 and presence.session != session:
                break
            session = presence.session  # the retained word of the one that was killed
        up = time.perf_counter() - begin
        wait(lambda: store.last_committed().round_number > known, 120)
        committed = time.perf_counter() - begin
        ear.close()
        return {"agents": agents, "rounds": known, "seconds_until_up": up, "seconds_until_next_round": committed}


def main() -> None:
    """Run and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    options = parser.parse_args()
    path = RESULTS / f"{options.agents}-agents.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    pieces = {
        "half sampled": lambda: whole(options.agents, 3, 0.5),
        "all": lambda: whole(options.agents, 1, 1.0),
        "restart": lambda: restart(options.agents, 50),
    }
    for name, piece in pieces.items():
        if name not in found:
            found[name] = piece()
            path.write_text(json.dumps(found, indent=1) + "\n")
            print(json.dumps({name: found[name]}, indent=1), flush=True)


if __name__ == "__main__":
    main()
