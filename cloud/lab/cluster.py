"""A Dask cluster in the place of this machine's processes."""

from collections.abc import Iterator
from contextlib import contextmanager

import joblib

from shared.errors import SettingsError

CONNECT_SECONDS = 15
"""Wait for a scheduler to answer."""


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Send what joblib runs within the block to a cluster's workers.

    Args:
        address: ``host:port`` of its scheduler.

    Raises:
        SettingsError: Nobody answers there, it has no workers, or one has several threads: two runs in one process
            would share torch's random state and number of threads.
    """
    from distributed import Client  # noqa: PLC0415 - an extra

    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as cause:
        raise SettingsError(
            f"no Dask scheduler answers at {address}", remedy="start one with: dask scheduler"
        ) from cause
    with client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise SettingsError(
                f"the cluster at {address} has no workers", remedy=f"start some: dask worker {address} --nthreads 1"
            )
        several = [name for name, worker in workers.items() if worker["nthreads"] != 1]
        if several:
            raise SettingsError(
                f"worker {several[0]} has several threads, expected one per process",
                remedy=f"start workers with: dask worker {address} --nworkers auto --nthreads 1",
            )
        with joblib.parallel_config(backend="dask", n_jobs=-1):
            yield
