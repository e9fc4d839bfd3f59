"""One federation twice, over a good network and over a bad one, each part a process of its own."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.chaos.federation import Subject, place, prepare_subject
from cloud.chaos.invariants import ChaosReport, Run, judge
from cloud.chaos.options import ChaosOptions
from cloud.chaos.profiles import UNDISTURBED, Profile
from cloud.chaos.proxy import Proxy
from cloud.demo.children import Children
from cloud.embedded import EmbeddedBroker
from cloud.store.sql import open_reader
from shared.blobs import make_folder
from shared.errors import ArtifactError
from shared.output import note

LOOK_SECONDS: Final = 0.2
"""Between two looks at the processes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run happens."""

    folder: Path
    subject: Subject


def run_chaos(options: ChaosOptions) -> ChaosReport:
    """Run both and say which invariants held; whatever happens, no process is left behind.

    Raises:
        FedlogeError: The federation or its images cannot be used, or a process failed even undisturbed.
    """
    folder = options.out / f"{options.profile.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        make_folder(folder)
    except OSError as cause:
        raise ArtifactError(f"cannot use {folder}: {cause.strerror or cause}", remedy="choose another --out") from cause
    subject = prepare_subject(options, folder)
    note("undisturbed, for comparison ...")
    calm = _run(Place(folder / "undisturbed", subject), UNDISTURBED, options.limit_seconds)
    note(f"{calm.seconds:.0f} s; now with {options.profile.name}: {options.profile.meaning} ...")
    disturbed = _run(Place(folder / "disturbed", subject), options.profile, options.limit_seconds)
    return judge(options.profile, calm, disturbed, folder=folder)


def _run(where: Place, profile: Profile, limit_seconds: float) -> Run:
    """Run one federation to its end, to its limit, or to the failure of a process."""
    broker = EmbeddedBroker()
    endpoint = broker.start(where.folder / "broker")
    children = Children(logs=where.folder / "logs")
    try:
        with Proxy("127.0.0.1", endpoint.address().port, profile) as proxy:
            prepared = place(where.subject, where.folder, endpoint, proxy.port)
            began = time.monotonic()
            children.start(prepared)
            while (in_time := time.monotonic() - began < limit_seconds) and _any_runs(children):
                children.check()
                time.sleep(LOOK_SECONDS)
            seconds = time.monotonic() - began
            children.stop()
            carried = (proxy.to_broker.whole, proxy.to_clients.whole)
            destroyed = proxy.to_broker.taken + proxy.to_clients.taken - sum(carried)
            cuts = proxy.cuts
    finally:
        children.stop()
        broker.stop()
    store = open_reader(prepared.paths.database)
    try:
        return Run(
            rounds=tuple(store.rounds()),
            reports=tuple(store.reports()),
            clients=tuple(sorted(prepared.agents)),
            states=dict(prepared.agents),
            ended=in_time,
            seconds=seconds,
            delivered_to_clients=carried[1],
            destroyed=destroyed,
            cuts=cuts,
        )
    finally:
        store.close()


def _any_runs(children: Children) -> bool:
    return children.running() or any(process.poll() is None for process in children.agents.values())
