"""`fedloge cloud start`: put broker, database, models and loop together, and take them apart again."""

import dataclasses
import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import torch

from cloud.coordinator import Coordinator
from cloud.credentials import external_endpoint
from cloud.embedded import EmbeddedBroker
from cloud.evaluation import Evaluator, evaluation_images
from cloud.origin import start_or_resume
from cloud.progress import Progress
from cloud.release import Release
from cloud.settings import FederationFile, FederationPaths, paths_of, read_federation
from cloud.store.lock import coordinator_lock
from cloud.store.sql import SqlRoundStore, open_store
from shared.blobs import BlobStore, write_durably
from shared.endpoint import Endpoint
from shared.exchange import Exchange
from shared.join import JoinFile
from shared.limits import MAX_BLOB_BYTES, MIB, WILL_DELAY_SECONDS
from shared.messages import CoordinatorPresence, encode_message
from shared.mqtt import MqttTransport, connect
from shared.output import note
from shared.settings import SharedSettings
from shared.tensors import decode
from shared.topics import coordinator_filters, coordinator_status


def start(file: Path) -> SqlRoundStore:
    """Run the federation of a file to its end; return its store, still open for reading.

    Raises:
        FedlogeError: Whatever kept it from running; the class says which exit code.
    """
    settings = read_federation(file)
    paths = paths_of(file, settings)
    with ExitStack() as stack:
        stack.enter_context(coordinator_lock(paths.database, paths.folder))
        blobs = BlobStore(paths.blobs)
        store = open_store(paths.database)
        shared = settings.shared()
        torch.set_num_threads(settings.training.threads)
        origin = start_or_resume(settings, store, blobs)
        etf = decode(blobs.get(origin.etf_blob))["etf"]
        evaluator = _evaluator(settings, etf)
        endpoint, upkeep = stack.enter_context(_broker(settings, paths))
        session = secrets.token_hex(8)
        transport = stack.enter_context(_transport(shared, endpoint, session))
        _write_join(file, settings, paths, dataclasses.replace(endpoint, mqtt=transport.version))
        exchange = _exchange(settings, transport, blobs, paths.spool)
        release = Release(
            settings=shared,
            paths=paths,
            blobs=blobs,
            store=store,
            etf=etf,
            etf_blob=origin.etf_blob,
            evaluation_spec=settings.evaluation.data,
        )
        Coordinator(
            settings=settings,
            store=store,
            exchange=exchange,
            release=release,
            evaluator=evaluator,
            session=session,
            progress=Progress(settings.rounds),
            upkeep=upkeep,
        ).run()
        return store


def _evaluator(settings: FederationFile, etf: torch.Tensor) -> Evaluator | None:
    if settings.evaluation.data is None:
        return None
    shared = settings.shared()
    return Evaluator(
        shared,
        etf=etf,
        images=evaluation_images(settings.evaluation.data, shared),
        class_counts=None if settings.class_counts is None else torch.tensor(settings.class_counts),
        device=torch.device("cpu"),
    )


@contextmanager
def _broker(settings: FederationFile, paths: FederationPaths) -> Iterator[tuple[Endpoint, Callable[[], None]]]:
    """Start the embedded broker, or name the operator's own; with what keeps it alive."""
    if settings.broker.url != "embedded":
        yield external_endpoint(settings.broker), lambda: None
        return
    broker = EmbeddedBroker()

    def revive() -> None:
        if not broker.alive():
            note("the embedded broker died and is started again")
            broker.start(paths.folder)

    try:
        yield broker.start(paths.folder), revive
    finally:
        broker.stop()


@contextmanager
def _transport(shared: SharedSettings, endpoint: Endpoint, session: str) -> Iterator[MqttTransport]:
    """Connect with a last will that says the coordinator is down, and say so in person at the end."""
    status = coordinator_status(shared.federation)
    down = encode_message(CoordinatorPresence(state="down", session=session))
    transport = connect(
        endpoint,
        client_id=f"{shared.federation}-coordinator",
        filters=coordinator_filters(shared.federation),
        will=(status, down),
        will_delay_seconds=WILL_DELAY_SECONDS,
    )
    try:
        yield transport
    finally:
        transport.publish(status, down, qos=1, retain=True)
        transport.close()


def _exchange(settings: FederationFile, transport: MqttTransport, blobs: BlobStore, spool: Path) -> Exchange:
    """Return the coordinator's end of every lane."""
    return Exchange(
        transport,
        federation=settings.federation,
        outgoing="down",
        blobs=blobs,
        spool=BlobStore(spool),
        quota_bytes=MAX_BLOB_BYTES,
        broadcast_rate=settings.broker.broadcast_mib_per_second * MIB or None,
    )


def _write_join(file: Path, settings: FederationFile, paths: FederationPaths, endpoint: Endpoint) -> None:
    """Write ``join.json`` for its owner only, and print the line to paste on a device."""
    join = JoinFile(
        federation=settings.federation,
        url=endpoint.url,
        username=endpoint.username,
        password=endpoint.password,
        mqtt=endpoint.mqtt,
        profile=endpoint.profile,
    )
    write_durably(paths.join_file, msgspec.json.format(msgspec.json.encode(join), indent=2) + b"\n", mode=0o600)
    note(f"federation {settings.federation} of {file}; join it from another terminal:")
    note(f"  fedloge edge run --join {shlex.quote(str(paths.join_file))} --data folder:DIR --state DIR")
