"""Before the processes start: an empty folder, every client's images in a folder of its own, and a federation file."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from cloud.demo.client_folders import EVALUATION, write_client_folders, write_evaluation_folder
from cloud.demo.options import DemoOptions
from cloud.draft import augmented_for
from cloud.settings import (
    BrokerSettings,
    EvaluationSettings,
    FederationFile,
    FederationPaths,
    ParticipationSettings,
    check,
    paths_of,
    read_federation,
)
from cloud.store.lock import coordinator_runs
from cloud.template import render
from shared.backbones import build_backbone
from shared.blobs import write_durably
from shared.data import read
from shared.errors import AlreadyRunningError, ArtifactError, SettingsError
from shared.methods import method_settings
from shared.settings import ModelSettings, ReportSettings
from shared.shards import Shards, deal

MARKER: Final = ".fedloge-demo"
"""File that says a folder was made by a demo, and so may be replaced by one."""

DEADLINE_SECONDS: Final = 900.0
"""Longest wait for one round or the reports: a demo's processes are all on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A demo ready to start.

    Attributes:
        file: The federation file.
        settings: What stands in it.
        paths: Where the coordinator keeps its state.
        images: Each client's folder of images.
        agents: Each client's state folder.
        shards: The dealt data.
    """

    file: Path
    settings: FederationFile
    paths: FederationPaths
    images: dict[str, Path]
    agents: dict[str, Path]
    shards: Shards


def prepare(options: DemoOptions) -> Prepared:
    """Read, deal and write the images, and write the federation file.

    Raises:
        ArtifactError: The folder holds something that is no demo's, or cannot be written.
        DataError: The images cannot be read.
        SettingsError: The imbalance factor, alpha or the backbone do not fit.
    """
    _refuse_foreign(options.out)
    splits = read(options.data, image_size=None, channels=None, class_names=None)
    width = len(str(max(0, options.agents - 1)))
    clients = [f"client-{number:0{max(2, width)}d}" for number in range(options.agents)]
    shards = deal(splits, clients=clients, imbalance_factor=options.imbalance, alpha=options.alpha, seed=options.seed)
    model = ModelSettings(
        backbone=options.backbone, image_size=splits.image_size, channels=1 if splits.channels == 1 else 3
    )
    settings = federation_of(
        options,
        model=model,
        class_names=splits.class_names,
        class_counts=tuple(shards.class_counts.tolist()),
        evaluation=options.out / "data" / EVALUATION,
    )
    build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    out = claim(options.out)  # from here on a former demo's results are gone: what can be refused was refused above
    images = write_client_folders(shards.clients, out / "data")
    write_evaluation_folder(shards.evaluation, out / "data")
    file = out / "federation.toml"
    write_durably(file, render(settings).encode())
    return Prepared(
        file=file,
        settings=settings,
        paths=paths_of(file, settings),
        images=images,
        agents={client: out / "agents" / client for client in clients},
        shards=shards,
    )


def federation_of(
    options: DemoOptions,
    *,
    model: ModelSettings,
    class_names: tuple[str, ...],
    class_counts: tuple[int, ...],
    evaluation: Path,
) -> FederationFile:
    """Return the federation a demo runs."""
    settings = FederationFile(
        federation="demo",
        class_names=class_names,
        class_counts=class_counts,
        rounds=options.rounds,
        seed=options.seed,
        model=model,
        method=method_settings(options.method),
        training=msgspec.structs.replace(
            augmented_for(model),
            local_epochs=options.local_epochs,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
        ),
        participation=ParticipationSettings(
            clients=options.agents,
            fraction=options.participation,
            join_deadline_seconds=DEADLINE_SECONDS,
            round_deadline_seconds=DEADLINE_SECONDS,
            report_deadline_seconds=DEADLINE_SECONDS,
        ),
        report=ReportSettings(alone=True),
        evaluation=EvaluationSettings(data=f"folder:{evaluation.resolve()}"),
        broker=BrokerSettings(url=options.broker),
    )
    check(settings)
    return settings


def claim(out: Path) -> Path:
    """Return an empty folder, in place of a former demo's.

    Raises:
        ArtifactError: It holds something that is no demo's, or cannot be written.
        AlreadyRunningError: A demo is at work in it.
    """
    _refuse_foreign(out)
    try:
        if out.exists():
            shutil.rmtree(out)
        out.mkdir(parents=True)
        (out / MARKER).write_text("made by `fedloge demo`, which may replace this folder\n", encoding="utf-8")
    except OSError as cause:
        raise ArtifactError(f"cannot use {out}: {cause.strerror or cause}", remedy="choose another --out") from cause
    return out


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that is not a former demo's, or whose demo is at work: it would lose its files under its feet."""
    try:
        if not out.exists() or not any(out.iterdir()):
            return
    except OSError as cause:
        raise ArtifactError(f"cannot use {out}: {cause.strerror or cause}", remedy="choose another --out") from cause
    if not (out / MARKER).exists():
        raise ArtifactError(f"{out} is not empty and no demo made it", remedy="choose another folder with --out")
    file = out / "federation.toml"
    try:
        paths = paths_of(file, read_federation(file))
    except SettingsError:
        return  # not written yet, or by a version whose keys have changed since: nothing is running
    if coordinator_runs(paths.database, paths.folder):
        raise AlreadyRunningError(f"a demo is running in {out}", remedy="wait for it, stop it, or choose another --out")
