"""A federation as it was recorded: its file, its database, and where its clients' images lie."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from cloud.settings import FederationFile, FederationPaths, paths_of, read_federation
from cloud.store.contract import RoundStore
from cloud.store.failures import not_started
from cloud.store.federation import first_difference
from cloud.store.rows import RoundRow
from cloud.store.sql import open_reader
from shared.errors import DataError, RoundError, StoreError, UsageError

DEMO_FILE: Final = "federation.toml"
"""Where a demo's folder has its federation file."""

DEMO_IMAGES: Final = "data"
"""Where a demo's folder has a folder of images per client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a replay reads; nothing of it is written to.

    Attributes:
        settings: The federation file's, the same as those on record.
        paths: Where the coordinator kept its files.
        etf_blob: SHA-256 of the frozen classifier's bytes.
        rounds: The committed ones, in order, at least one.
        images: A folder for every client whose update was accepted in a round.
    """

    settings: FederationFile
    paths: FederationPaths
    etf_blob: str
    rounds: tuple[RoundRow, ...]
    images: Mapping[str, Path]


def read_recording(source: Path, images: Path | None) -> Recording:
    """Read a recorded federation.

    Args:
        source: A demo's folder, or a federation file.
        images: A folder with one folder of images per client; None is the demo's own.

    Raises:
        UsageError: A federation file without a folder of images.
        SettingsError: The federation file cannot be read.
        StoreError: There is no database, or it holds another federation or other settings.
        RoundError: No round is committed.
        DataError: A client's images are missing.
    """
    file = source / DEMO_FILE if source.is_dir() else source
    if images is None and file is source:
        raise UsageError(
            f"{source} is no folder of a demo, so where the clients' images lie must be said",
            remedy="add --images DIR, which holds one folder of images per client",
        )
    settings = read_federation(file)
    paths = paths_of(file, settings)
    store = open_reader(paths.database)
    try:
        etf_blob = _etf_of(store, settings)
        rounds = tuple(row for row in store.rounds() if row.state == "committed")
    finally:
        store.close()
    if not rounds:
        raise RoundError("no round is committed yet, so there is nothing to replay", remedy="let a round end first")
    clients = sorted({part.client for row in rounds for part in row.participants if part.state == "accepted"})
    return Recording(
        settings=settings,
        paths=paths,
        etf_blob=etf_blob,
        rounds=rounds,
        images=_folders(source / DEMO_IMAGES if images is None else images, clients),
    )


def _etf_of(store: RoundStore, settings: FederationFile) -> str:
    """Return the recorded classifier's blob, once the file says what the record says."""
    recorded = store.federation()
    if recorded is None:
        raise not_started()
    if recorded.name != settings.federation:
        raise StoreError(
            f"the database holds federation {recorded.name!r}, the file names {settings.federation!r}",
            remedy="name the federation file that started it",
        )
    told = json.loads(msgspec.json.encode(settings.identity()))  # lists and numbers as the record has them
    difference = first_difference(json.loads(recorded.settings_json), told)
    if difference is not None:
        raise StoreError(
            f"federation {recorded.name!r} was trained with other settings: {difference}",
            remedy="restore the setting in the federation file",
        )
    return recorded.etf_blob


def _folders(root: Path, clients: list[str]) -> dict[str, Path]:
    missing = [client for client in clients if not (root / client).is_dir()]
    if missing:
        raise DataError(
            f"{root} has no folder for {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''}",
            remedy="--images DIR needs one folder of images per client, named as the client",
        )
    return {client: root / client for client in clients}
