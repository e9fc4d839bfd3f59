"""One blob through mosquitto, both ways: overhead, throughput against an unrestricted push, the broker's memory.

Run:  python -m benchmarks.transfer                     (45 MB, seven turns)
      python -m benchmarks.transfer --megabytes 528 --turns 1

In every turn the same bytes go down and up by the product's pull, SHA-256 and fsync included, and once each by a plain
paho publisher that sends all of it in one go with QoS 0 and QoS 1 to a plain paho subscriber that only counts. The two
ends are two processes. On a busy machine seconds say little, so processor seconds stand beside them. Overhead is what
the sockets carried beyond the blob, TCP's own counters, both directions.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import socket
import statistics
import struct
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.broker import Broker, mosquitto
from shared.blobs import BlobStore
from shared.endpoint import Endpoint
from shared.exchange import Arrived, Exchange
from shared.messages import Manifest
from shared.mqtt import MqttTransport, connect
from shared.topics import agent_filters, coordinator_filters

RESULTS = Path(__file__).parent / "results" / "transfer"
CHUNK = 240 * 1024


def carried(transport: MqttTransport) -> int:
    """Return the bytes this connection's socket sent and received: tcpi_bytes_acked and tcpi_bytes_received."""
    sock = transport._client.socket()  # noqa: SLF001 - the kernel's counters of this very connection
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    return sum(struct.unpack_from("<QQ", info, 120))


def pulled(exchange: Exchange, manifest: Manifest) -> tuple[float, int]:
    """Pull a blob; return seconds and socket bytes."""
    before, begin = carried(exchange.transport), time.perf_counter()
    exchange.pull("ana", manifest, timeout_seconds=600)
    while not isinstance(exchange.poll(1.0), Arrived):
        pass
    seconds = time.perf_counter() - begin
    for _ in range(20):
        exchange.poll(0.01)  # the last word goes out
    return seconds, carried(exchange.transport) - before


def agent(endpoint: Endpoint, folder: str, pipe: Connection) -> None:
    """Be the agent's process: pull what is named, or offer it and serve until told otherwise."""
    transport = connect(endpoint, client_id="ana", filters=agent_filters("f", "ana"))
    exchange = Exchange(transport, federation="f", outgoing="up", blobs=BlobStore(Path(folder) / "agent"))
    while True:
        word, value = pipe.recv()
        if word == "end":
            return
        if word == "pull":
            pipe.send(pulled(exchange, value))
            exchange.blobs.discard(value.blob)
        if word == "offer":
            pipe.send(exchange.offer(exchange.blobs.put(value)))
            while not pipe.poll():
                exchange.poll(0.02)
            exchange.blobs.discard(hashlib.sha256(value).hexdigest())


def subscriber(endpoint: Endpoint, _folder: str, pipe: Connection) -> None:
    """Be the process of a plain subscriber: count bytes."""
    seen = 0

    def count(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        nonlocal seen
        seen += len(message.payload)

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_socket_open = lambda _c, _d, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.on_message = count
    client.connect(*endpoint.address()[:2])
    client.subscribe("push", 1)
    client.loop_start()
    while True:
        word, value = pipe.recv()
        if word == "end":
            return
        seen = 0
        pipe.send("ready")
        while seen < value:
            time.sleep(0.001)
        pipe.send("done")


def pushed(client: paho.Client, pipe: Connection, payload: bytes, qos: int) -> float:
    """Publish everything at once; return the seconds until the subscriber has it all."""
    pipe.send(("count", len(payload)))
    pipe.recv()
    begin = time.perf_counter()
    for start in range(0, len(payload), CHUNK):
        client.publish("push", payload[start : start + CHUNK], qos=qos)
    pipe.recv()
    return time.perf_counter() - begin


def processor(end: Any, broker: Broker) -> float:
    """Return the processor seconds so far of both ends and the broker."""
    processes = (psutil.Process(), psutil.Process(end.pid), broker.process)
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def child(work: Any, broker: Broker, folder: str) -> tuple[Any, Connection]:
    """Start the other end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(broker.endpoint, folder, theirs))
    process.daemon = True
    process.start()
    return process, ours


def run(megabytes: float, turns: int, *, push: bool) -> dict[str, Any]:
    """Measure; return the result."""
    payload = torch.randint(256, (int(megabytes * 1e6),), dtype=torch.uint8).numpy().tobytes()
    rows: list[dict[str, float]] = []
    with mosquitto() as broker, mosquitto() as other, tempfile.TemporaryDirectory() as folder:
        helper, pipe = child(agent, broker, folder)
        transport = connect(broker.endpoint, client_id="coordinator", filters=coordinator_filters("f"))
        cloud, spool = BlobStore(Path(folder) / "cloud"), BlobStore(Path(folder) / "spool")
        exchange = Exchange(transport, federation="f", outgoing="down", blobs=cloud, spool=spool)
        sink, sink_pipe = child(subscriber, other, folder)
        pusher = paho.Client(CallbackAPIVersion.VERSION2)
        pusher.max_inflight_messages_set(0)
        pusher.on_socket_open = lambda _c, _d, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pusher.connect(*other.endpoint.address()[:2])
        pusher.loop_start()
        blob = cloud.put(payload)
        for turn in range(turns):
            manifest = exchange.offer(blob)
            before = processor(helper, broker)
            pipe.send(("pull", manifest))
            while not pipe.poll():
                exchange.poll(0.02)
            down, down_bytes = pipe.recv()
            down_cpu = processor(helper, broker) - before
            pipe.send(("offer", payload))
            while not pipe.poll():
                exchange.poll(0.02)
            up, up_bytes = pulled(exchange, pipe.recv())
            if spool.get(blob) != payload:
                raise SystemExit("the blob that came is not the one that was sent")
            spool.discard(blob)
            row = {"down_s": down, "up_s": up, "down_bytes": down_bytes, "up_bytes": up_bytes, "down_cpu_s": down_cpu}
            for qos in (0, 1) if push else ():
                before = processor(sink, other)
                row[f"push_qos{qos}_s"] = pushed(pusher, sink_pipe, payload, qos)
                row[f"push_qos{qos}_cpu_s"] = processor(sink, other) - before
            rows.append(row)
            print(turn, {key: round(value, 3) for key, value in row.items()}, flush=True)
        result = {
            "megabytes": megabytes,
            "chunks": -(-len(payload) // CHUNK),
            "mqtt": transport.version,
            "cores": os.cpu_count(),
            "turns": rows,
            "broker_peak_mib": {"pull": broker.peak_mib(), "push": other.peak_mib() if push else None},
            "summary": summary(rows, len(payload)),
        }
        pipe.send(("end", None))
        sink_pipe.send(("end", None))
        transport.close()
        pusher.disconnect()
        helper.join(10)
        sink.join(10)
    return result


def summary(rows: list[dict[str, float]], size: int) -> dict[str, Any]:
    """Return the figures that are claimed: medians and the spread of the ratio within turns."""
    found: dict[str, Any] = {}
    for way in ("down", "up"):
        found[f"{way}_mib_s"] = size / 2**20 / statistics.median(row[f"{way}_s"] for row in rows)
        found[f"{way}_overhead"] = max(row[f"{way}_bytes"] for row in rows) / size - 1
        if "push_qos0_s" in rows[0]:
            ratios = [min(row["push_qos0_s"], row["push_qos1_s"]) / row[f"{way}_s"] for row in rows]
            found[f"{way}_against_faster_push"] = [min(ratios), statistics.median(ratios), max(ratios)]
    if "push_qos0_s" in rows[0]:
        costs = [min(row["push_qos0_cpu_s"], row["push_qos1_cpu_s"]) / row["down_cpu_s"] for row in rows]
        found["processor_against_cheaper_push"] = [min(costs), statistics.median(costs), max(costs)]
    return found


def main() -> None:
    """Run and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=44.7)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--no-push", action="store_true")
    options = parser.parse_args()
    result = run(options.megabytes, options.turns, push=not options.no_push)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"mosquitto-{options.megabytes:g}mb.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["summary"], indent=1), json.dumps(result["broker_peak_mib"]))


if __name__ == "__main__":
    main()
