"""`fedloge edge run`: put connection, journal, images and loop together, and take them apart again."""

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from edge.agent import Agent
from edge.devices import choose_device
from edge.journal import Journal
from edge.work import Work
from shared.blobs import BlobStore
from shared.data import check_source
from shared.errors import AlreadyRunningError, ArtifactError
from shared.exchange import Exchange
from shared.join import read_join
from shared.limits import WILL_DELAY_SECONDS
from shared.messages import Presence, encode_message
from shared.mqtt import connect
from shared.output import note
from shared.topics import agent_filters, check_name, lane


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent as its owner starts it.

    Attributes:
        join_file: From the coordinator.
        data_spec: Where this device's images are.
        state: Folder of its own, kept between starts.
        client: Its id; None takes the one on record, or draws one.
        device: "auto", "cpu" or a CUDA device.
        patience_seconds: Give up when the coordinator is silent for this long.
    """

    join_file: Path
    data_spec: str
    state: Path
    client: str | None
    device: str
    patience_seconds: float


def run_agent(settings: AgentSettings) -> tuple[str, str]:
    """Serve rounds until the federation is complete; return the client's id and the coordinator's last words.

    Raises:
        FedlogeError: Whatever kept it from serving; the class says which exit code.
    """
    join = read_join(settings.join_file)
    if settings.client is not None:
        check_name("client", settings.client)
    check_source(settings.data_spec)
    device = choose_device(settings.device)
    with ExitStack() as stack:
        _lock(settings.state, stack)
        journal = Journal(settings.state / "agent.sqlite")
        stack.callback(journal.close)
        client = journal.identify(settings.client, join.federation)
        blobs = BlobStore(settings.state / "blobs")
        work = Work(
            client=client,
            data_spec=settings.data_spec,
            state=settings.state,
            journal=journal,
            blobs=blobs,
            heads=BlobStore(settings.state / "heads"),
            device=device,
        )
        session = secrets.token_hex(8)
        status = lane(join.federation, client, "up", "status")
        offline = encode_message(Presence(client=client, state="offline", session=session))
        transport = connect(
            join.endpoint(),
            client_id=f"{join.federation}-{client}",
            filters=agent_filters(join.federation, client),
            will=(status, offline),
            will_delay_seconds=WILL_DELAY_SECONDS,
        )
        stack.callback(transport.close)
        stack.callback(transport.publish, status, offline, qos=1, retain=True)
        note(f"{client} serves federation {join.federation} at {join.url}")
        exchange = Exchange(transport, federation=join.federation, outgoing="up", blobs=blobs)
        agent = Agent(
            client=client,
            exchange=exchange,
            work=work,
            session=session,
            patience_seconds=settings.patience_seconds,
        )
        return client, agent.run()


def _lock(state: Path, stack: ExitStack) -> None:
    """Hold the state folder for this process alone; the system lets go when the process dies."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        stack.enter_context(FileLock(state / "agent.lock", timeout=0))
    except Timeout as cause:
        raise AlreadyRunningError(
            f"another agent works in {state}", remedy="stop it, or choose another --state folder"
        ) from cause
    except OSError as cause:
        raise ArtifactError(
            f"cannot use {state}: {cause.strerror or cause}", remedy="choose another --state"
        ) from cause
