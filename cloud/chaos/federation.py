"""The federation that is to be disturbed: a built-in one on digits, or the user's own file with images dealt to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from cloud.chaos.options import ChaosOptions
from cloud.demo.client_folders import write_client_folders
from cloud.demo.prepare import Prepared
from cloud.settings import (
    BrokerSettings,
    FederationFile,
    ParticipationSettings,
    StoreSettings,
    check,
    paths_of,
    read_federation,
)
from cloud.template import render
from shared.blobs import write_durably
from shared.data import read
from shared.endpoint import Endpoint
from shared.errors import SettingsError
from shared.settings import ModelSettings, TrainingSettings
from shared.shards import Shards, deal

ROUNDS: Final = 3
"""Of the built-in federation: the first round differs from the others, which are alike."""

ROUND_SECONDS: Final = 600.0
"""Longest wait for one round of the built-in federation: longer than any fault lasts, so that none decides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Settings and dealt images.

    Attributes:
        settings: Without a broker yet.
        shards: Who has which images.
        images: Each client's folder.
    """

    settings: FederationFile
    shards: Shards
    images: Mapping[str, Path]


def prepare_subject(options: ChaosOptions, folder: Path) -> Subject:
    """Read or make the federation, and write each client's images below ``folder``.

    Raises:
        SettingsError: The file cannot be used, or says nowhere what images to deal.
        DataError: The images cannot be read or do not fit.
        ArtifactError: The folder cannot be written.
    """
    own = None if options.file is None else read_federation(options.file)
    spec = options.data or ("digits" if own is None else own.evaluation.data)
    if spec is None:
        raise SettingsError(f"{options.file} names no images", remedy="name those to deal to the clients: --data SPEC")
    size, channels, names = (
        (None, None, None) if own is None else (own.model.image_size, own.model.channels, own.class_names)
    )
    splits = read(spec, image_size=size, channels=channels, class_names=names)
    clients = [f"client-{number:02d}" for number in range(options.agents)]
    shards = deal(splits, clients=clients, imbalance_factor=10.0, alpha=0.5, seed=0)
    if own is None:
        own = FederationFile(
            federation="chaos",
            class_names=splits.class_names,
            rounds=ROUNDS,
            model=ModelSettings(image_size=splits.image_size, channels=1 if splits.channels == 1 else 3),
            training=TrainingSettings(local_epochs=1, crop_padding=1, horizontal_flip=False),
            participation=ParticipationSettings(round_deadline_seconds=ROUND_SECONDS),
        )
    everyone = msgspec.structs.replace(own.participation, clients=options.agents)
    settings = msgspec.structs.replace(own, participation=everyone)
    return Subject(settings=settings, shards=shards, images=write_client_folders(shards.clients, folder / "images"))


def place(subject: Subject, folder: Path, endpoint: Endpoint, port: int) -> Prepared:
    """Write the federation file of one run, whose broker is a proxy in front of the real one.

    Args:
        subject: What to run.
        folder: Of this run.
        endpoint: The real broker's account.
        port: Where the proxy listens.
    """
    password = folder / "broker-password.txt"
    write_durably(password, f"{endpoint.password}\n".encode(), mode=0o600)
    settings = msgspec.structs.replace(
        subject.settings,
        broker=BrokerSettings(
            url=f"mqtt://127.0.0.1:{port}", username=endpoint.username, password_file=str(password.resolve())
        ),
        store=StoreSettings(),
    )
    check(settings)
    file = folder / "federation.toml"
    write_durably(file, render(settings).encode())
    return Prepared(
        file=file,
        settings=settings,
        paths=paths_of(file, settings),
        images=dict(subject.images),
        agents={client: folder / "agents" / client for client in subject.images},
        shards=subject.shards,
    )
